"""One WebSocket: texts in, JSON out, and no wait without a bound.

Nothing is queued for a peer. Results are made when the one before was taken, so a peer that reads
slowly slows its own subscriptions, which go on from where they are; one that takes nothing for
`send_s_max` seconds is dropped, and can resume by cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected

from api.streaming.frames import BadFrame, Ending, Frame, fitting_reason, read_frame
from api.streaming.lines import cut
from api.streaming.settings import StreamingSettings

GONE: Final = 1006
CLOSE_S_MAX: Final = 1.0
"""How long a peer may take to take the close frame."""


class Socket(AsyncWebSocketAdapter):
    """The adapter between Strawberry's handler and Starlette's WebSocket."""

    def __init__(self, view: Any, websocket: WebSocket, settings: StreamingSettings) -> None:
        super().__init__(view)
        self.websocket = websocket
        self._settings = settings
        self._reader: asyncio.Task[Any] | None = None
        self._dropped = False
        self.closed_with: Ending | None = None
        """How we closed it."""
        self.peer_code: int | None = None
        """How the peer closed it."""

    async def iter_json(
        self, *, ignore_parsing_errors: bool = False
    ) -> AsyncGenerator[Frame, None]:
        """The messages of the peer until it, or we, close. Raises BadFrame."""
        self._reader = asyncio.current_task()
        while self.closed_with is None:
            try:
                message = await self.websocket.receive()
            except (WebSocketDisconnect, RuntimeError):
                return
            if message["type"] == "websocket.disconnect":
                self.peer_code = message.get("code")
                return
            text = message.get("text")
            if text is None:
                raise BadFrame("A message must be text")
            yield read_frame(text, bytes_max=self._settings.message_bytes_max)

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send, once the peer has taken what came before. Raises WebSocketDisconnected."""
        try:
            async with asyncio.timeout(self._settings.send_s_max):
                await self.websocket.send_text(orjson.dumps(message).decode())
        except TimeoutError:
            self.drop()
            raise WebSocketDisconnected from None
        except (WebSocketDisconnect, RuntimeError):
            # Starlette raises RuntimeError for what comes after a close.
            raise WebSocketDisconnected from None

    async def close(self, code: int, reason: str) -> None:
        """Close, unless it is closed; a peer that does not take even this is dropped."""
        if self.closed_with is not None:
            return
        self.closed_with = Ending(code, reason)
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self.websocket.close(code, fitting_reason(reason))
        except TimeoutError:
            self.drop()
        except (WebSocketDisconnect, RuntimeError):
            return

    def drop(self) -> None:
        """Give the peer up: whoever reads from it is made to stop."""
        self.closed_with = self.closed_with or Ending(GONE, "The peer does not read")
        cut(self.websocket.scope)
        if self._reader is not None and self._reader is not asyncio.current_task():
            self._dropped = True
            self._reader.cancel()

    def dropped_its_reader(self) -> bool:
        """Whether it was `drop`, and nobody else, that cancelled the reader, who asks."""
        return self._dropped and self._reader is not None and self._reader.uncancel() == 0
