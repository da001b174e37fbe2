"""Turns: those who have something to be sent, each in a task of its own, for as long as a process.

Other processes may do the same: leases keep them apart. Who is slow has a task to wait in, and
whoever has waited longest begins first where there is no room for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextlib import suppress
from typing import TypeAlias

import structlog

from domain.storage import StorageFault

log = structlog.get_logger("jifen.work")

Due: TypeAlias = Mapping[Hashable, Callable[[], Awaitable[None]]]
"""Whose turn it is, in the order in which they have waited, and how it is taken."""


class Turns:
    """Takes turns in tasks of this process. `name` is what the log calls a failure."""

    def __init__(
        self, due: Callable[[], Awaitable[Due]], *, name: str, poll_s: float, at_once_max: int
    ) -> None:
        self._due = due
        self._name = name
        self._poll_s = poll_s
        self._at_once_max = at_once_max
        self._stopping = asyncio.Event()
        self._turns: dict[Hashable, asyncio.Task[None]] = {}

    @property
    def is_stopping(self) -> bool:
        """Whether nothing more is to be begun."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin nothing more. What is under way ends by itself."""
        self._stopping.set()

    async def run(self) -> None:
        """Take turns until stopped, whatever fails meanwhile."""
        try:
            while not self._stopping.is_set():
                await self._watched(self._begin_turns)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await self._stopping.wait()
            if self._turns:
                await asyncio.wait(self._turns.values())
        finally:
            # What was claimed is due again when its lease ends.
            for task in self._turns.values():
                task.cancel()

    async def _begin_turns(self) -> None:
        for key, take in (await self._due()).items():
            if len(self._turns) >= self._at_once_max:
                break
            if key not in self._turns:
                self._begin(key, take)

    def _begin(self, key: Hashable, take: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._watched(take))
        self._turns[key] = task
        task.add_done_callback(lambda _: self._turns.pop(key, None))

    async def _watched(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except StorageFault as fault:
            log.warning(self._name, error=type(fault).__name__, reason=str(fault))
        except Exception:
            log.exception(self._name)
