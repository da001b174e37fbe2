"""Telling workers at once that a commit announced something.

The nudge is a kindness: workers look by themselves each second. So it never delays a request, is
sent at most twenty times a second, and is dropped when the queue does not take it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import structlog
from taskiq.exceptions import SendTaskError

from api.workers.tasks import end_within
from domain.outbox import on_committed

log = structlog.get_logger("jifen.work")

QUIET_S: Final = 0.05
RETRY_S: Final = 2.0


class Nudger:
    """Calls `send` soon after a commit; `otherwise` when that failed, then leaves it in peace."""

    def __init__(
        self, send: Callable[[], Awaitable[object]], *, otherwise: Callable[[], None] = lambda: None
    ) -> None:
        self._send = send
        self._otherwise = otherwise
        self._wanted = asyncio.Event()

    def hear(self, _grown: frozenset[UUID]) -> None:
        """Somebody committed."""
        self._wanted.set()

    async def run(self) -> None:
        """Nudge until cancelled. This task is begun outside any transaction, and stays there."""
        quiet_until = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if loop.time() < quiet_until:
                self._otherwise()
            elif not await self._sent():
                self._otherwise()
                quiet_until = loop.time() + RETRY_S
            await asyncio.sleep(QUIET_S)

    async def _sent(self) -> bool:
        try:
            await self._send()
        except SendTaskError as fault:
            log.debug("nudge_failed", reason=repr(fault.__cause__))
            return False
        except Exception:
            log.exception("nudge_failed")
            return False
        return True


@asynccontextmanager
async def nudging(nudger: Nudger) -> AsyncIterator[None]:
    """Let commits of this process nudge during the block."""
    stop_hearing = on_committed(nudger.hear)
    task = asyncio.create_task(nudger.run())
    try:
        yield
    finally:
        stop_hearing()
        task.cancel()
        await end_within(0, [task])
