"""uvicorn's WebSocket protocol, made lighter: what waits for hours should occupy little.

Of the memory of an idle connection most was uvicorn's: two queues with room for what never comes,
and the handshake, kept for good. The behaviour is uvicorn's, and so is everything else: under plain
`uvicorn gateway:app` connections only cost more.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class _Waiting:
    """Those who wait, hardly ever more than one."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Until `wake` is called."""
        future = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        try:
            await future
        finally:
            self._futures.remove(future)

    def wake(self) -> None:
        """Let all go on who wait now."""
        for future in self._futures:
            if not future.done():
                future.set_result(None)


class Inbox:
    """What has been received: the part of asyncio.Queue that uvicorn uses, for one reader."""

    __slots__ = ("_items", "_waiting")

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._waiting = _Waiting()

    def put_nowait(self, item: Any) -> None:
        """Put something in."""
        self._items.append(item)
        self._waiting.wake()

    async def get(self) -> Any:
        """Take the first thing out, once there is one."""
        while not self._items:
            await self._waiting.wait()
        return self._items.pop(0)

    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return not self._items


class Gate:
    """The part of asyncio.Event that uvicorn uses."""

    __slots__ = ("_is_open", "_waiting")

    def __init__(self) -> None:
        self._is_open = False
        self._waiting = _Waiting()

    def set(self) -> None:
        """Open it."""
        self._is_open = True
        self._waiting.wake()

    def clear(self) -> None:
        """Close it."""
        self._is_open = False

    async def wait(self) -> None:
        """Until it is open."""
        while not self._is_open:
            await self._waiting.wait()


class LightSocketProtocol(WebSocketsSansIOProtocol):
    """The protocol of one connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.queue = Inbox()  # type: ignore[assignment]  # what uvicorn uses of a queue
        self.writable = Gate()  # type: ignore[assignment]  # and of an event
        self.writable.set()

    async def send(self, message: Any) -> None:
        """Send; once the handshake is done, forget it."""
        await super().send(message)
        if message["type"] == "websocket.accept":
            # The parser keeps hold of the request itself, so it is emptied.
            for handshake in (self.request, self.response):
                handshake.headers.clear()
            del self.request, self.response
