"""uvicorn's HTTP protocol with bounds on what comes before a request: its head.

What comes after is bounded by the application: bodies by their size, requests by their deadline.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S_MAX: Final = 10.0
"""How long a client may take to send a head, from connecting or from the head's first byte."""

HEAD_BYTES_MAX: Final = 64 * 1024

NEWCOMER_S: Final = 0.2
"""How long the end of the server waits for the first request of a connection."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes connections whose request line and headers come too slowly; refuses too large ones."""

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: it must ask for something soon."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._forget_timer()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends. Who has connected a moment ago may still ask, once."""
        if self.cycle is None and not self._ending:
            self._ending = True
            self.loop.call_later(NEWCOMER_S, self.shutdown)
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._head_bytes = 0
        if self._timer is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        """Some of the path."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._forget_timer()
        super().on_headers_complete()
        if self._ending and self.cycle is not None:
            self.cycle.keep_alive = False

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_S_MAX, self._give_up)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES_MAX:
            # The parser reports it, and uvicorn answers 400 and closes the connection.
            raise ValueError("the head of the request is too large")
