"""Connections that can be cut: ASGI has no message for "hang up without an answer"."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_open: Final[dict[tuple[Any, Any], asyncio.Transport]] = {}
"""By the addresses of both ends, which no two open connections of a process share."""


class DroppableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with its open connections within reach of the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the connection."""
        super().connection_made(transport)
        _open[self.client, self.server] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        _open.pop((self.client, self.server), None)
        super().connection_lost(exc)


async def drop_connection(scope: Scope, receive: Receive) -> None:
    """Cut the connection of this request, and wait until the server has noticed.

    Raises `ConnectionAbortedError` where the server is not `serve`'s, which then answers HTTP 500.
    """
    transport = _open.get((scope.get("client"), scope.get("server")))
    if transport is None:
        raise ConnectionAbortedError("this server cannot drop a connection")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
