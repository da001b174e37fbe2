"""Cancelling a piece of work at one chosen await point, and not by chance.

Between two suspensions a task cannot be cancelled, so the suspensions of a request are all the
points at which a deadline or a closed connection can end it. What `finish` shields runs in tasks of
its own, which nobody cancels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from enum import StrEnum
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Way(StrEnum):
    """How a cancellation meets a suspension."""

    BEFORE = "before"
    """As it begins: what is waited for has not happened."""

    AFTER = "after"
    """What was waited for has happened, and is never looked at: an answer that is lost."""

    TWICE = "twice"
    """As AFTER, and again at the next suspension, in the midst of the clearing up."""


class Stepped(Generic[T]):
    """Work that is cancelled at its `at`-th suspension; `steps` counts those that it reached."""

    def __init__(self, work: Awaitable[T], *, at: int = 0, way: Way = Way.BEFORE) -> None:
        self._work, self._at, self._way = work, at, way
        self.steps = 0

    @property
    def reached(self) -> bool:
        """Whether it came to the suspension at which it was to be cancelled."""
        return self.steps >= self._at > 0

    async def run(self) -> T:
        """Run it in a task of its own; raises CancelledError where it was cancelled."""

        async def stepping() -> T:
            return await self

        return await asyncio.create_task(stepping())

    def __await__(self) -> Generator[Any, Any, T]:
        inner = self._work.__await__()
        resume: Any = inner.send
        value: Any = None
        while True:
            try:
                waited = resume(value)
            except StopIteration as end:
                result: T = end.value
                return result
            self.steps += 1
            self._meet(waited)
            try:
                value = yield waited
                resume = inner.send
            except BaseException as thrown:
                value, resume = thrown, inner.throw

    def _meet(self, waited: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        again = self._way is Way.TWICE and self.steps == self._at + 1
        if again or (self.steps == self._at and self._way is Way.BEFORE):
            task.cancel()
        elif self.steps == self._at and isinstance(waited, asyncio.Future):
            # Before the task's own callback, which would let it go on.
            waited.add_done_callback(lambda _: task.cancel())
        elif self.steps == self._at:
            asyncio.get_running_loop().call_soon(task.cancel)
