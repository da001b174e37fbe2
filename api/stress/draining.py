"""Leaving in order: what happens between SIGTERM and the end of the process.

1. The signal comes. `Draining.begun` is set at once: `/readyz` answers 503 `draining`, sockets are
   closed with 1001, answers say `Connection: close`.
2. A moment later the signal is handed on to the server (uvicorn), which stops accepting and waits
   for the answers that are under way.
3. What still runs `drain_s` seconds after the signal is cancelled and rolled back.
4. The server ends the lifespan; everything that was opened is closed.

The server's own handlers stay in charge, so this works under plain `uvicorn gateway:app`, with
workers, and under the commands of `api.cli`.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from types import FrameType
from typing import Any, Final, Protocol, TypeVar

import structlog

log = structlog.get_logger("jifen.draining")

T = TypeVar("T")

NOTICE_S: Final = 0.3
"""How long the server accepts on after the signal, so that whoever asks learns that it leaves."""

CLOSING_S: Final = 1.0
"""After the drain, for closing what was opened: a database that hangs is not waited for."""

FORCED_AFTER_S: Final = 0.5
"""After the drain. A client that does not read its answer must not keep the process alive."""


class UnderWay(Protocol):
    """A request that is being served."""

    def cut_short(self) -> None:
        """End it now. Called in the loop; must not block."""


class Draining:
    """Whether this process is about to end, and when it will have ended.

    Whoever holds a connection open waits for `begun` and lets go of it then. `ends_at` is the
    moment, in seconds of the loop's clock, when what is still `under_way` is cut short; None before
    it began.
    """

    def __init__(self, *, drain_s: float = 10.0) -> None:
        self.begun = asyncio.Event()
        self.drain_s = drain_s
        self.ends_at: float | None = None
        self.under_way: set[UnderWay] = set()

    def begin(self) -> None:
        """Begin to drain; safe to call twice. Call it in the loop."""
        if self.begun.is_set():
            return
        loop = asyncio.get_running_loop()
        self.ends_at = loop.time() + self.drain_s
        self.begun.set()
        log.info("draining", under_way=len(self.under_way), drain_s=self.drain_s)
        loop.call_at(self.ends_at, self._end)

    def _end(self) -> None:
        if self.under_way:
            log.warning("draining_cut_short", under_way=len(self.under_way))
        for request in list(self.under_way):
            request.cut_short()


@contextmanager
def heeding_signals(draining: Draining, *, notice_s: float = NOTICE_S) -> Iterator[None]:
    """Begin to drain on SIGTERM and SIGINT, and hand them on to the server `notice_s` later.

    A second signal is handed on at once. Where no server handles SIGTERM (tests, other threads)
    nothing is changed.
    """
    handlers = _handlers_of_the_server()
    if not handlers:
        yield
        return
    relay = _Relay(draining, handlers=handlers, notice_s=notice_s)
    for number in handlers:
        signal.signal(number, relay.receive)
    try:
        yield
    finally:
        relay.close()
        for number, handler in handlers.items():
            if signal.getsignal(number) == relay.receive:
                signal.signal(number, handler)


@asynccontextmanager
async def leaving_in_order(
    opened: AbstractAsyncContextManager[T], draining: Draining
) -> AsyncIterator[T]:
    """Keep `opened` open inside the block. Its end begins the draining, if no signal did.

    Closing may use what is left of the drain and `CLOSING_S` beyond; what takes longer is left to
    the end of the process.
    """
    stack = AsyncExitStack()
    yielded = await stack.enter_async_context(opened)
    try:
        yield yielded
    finally:
        draining.begin()
        assert draining.ends_at is not None, "it has begun"
        try:
            async with asyncio.timeout_at(draining.ends_at + CLOSING_S):
                await stack.aclose()
        except TimeoutError:
            log.warning("closing_took_too_long")


Handler = Callable[[int, FrameType | None], Any]


class _Relay:
    """Stands before the server's handlers."""

    def __init__(
        self, draining: Draining, *, handlers: dict[signal.Signals, Handler], notice_s: float
    ) -> None:
        self._draining = draining
        self._handlers = handlers
        self._notice_s = notice_s
        self._loop = asyncio.get_running_loop()
        self._first: int | None = None
        self._handed_on = False
        self._timers: list[asyncio.TimerHandle] = []

    def receive(self, number: int, frame: FrameType | None) -> None:
        """A signal: runs in the main thread, between any two steps of the loop."""
        if self._first is None:
            self._first = number
            self._loop.call_soon_threadsafe(self._begin)
            return
        self._hand_on()
        self._handlers[signal.Signals(number)](number, frame)

    def close(self) -> None:
        """Forget what was planned."""
        for timer in self._timers:
            timer.cancel()

    def _begin(self) -> None:
        self._draining.begin()
        forced_after_s = self._draining.drain_s + FORCED_AFTER_S
        self._timers = [
            self._loop.call_later(self._notice_s, self._hand_on),
            self._loop.call_later(forced_after_s, self._force),
        ]

    def _hand_on(self) -> None:
        if not self._handed_on and self._first is not None:
            self._handed_on = True
            self._handlers[signal.Signals(self._first)](self._first, None)

    def _force(self) -> None:
        # To uvicorn an interrupt that follows another signal means: wait for nobody any more.
        log.warning("draining_forced")
        self._handlers[signal.SIGINT](signal.SIGINT, None)


def _handlers_of_the_server() -> dict[signal.Signals, Handler]:
    """The handlers that a server has set; none outside the main thread or without a server."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found: dict[signal.Signals, Handler] = {}
    for number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(number)
        if not callable(handler):
            return {}
        found[number] = handler
    return found
