"""Running a piece of work to its end although the task that asked for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def finish(work: Awaitable[T]) -> T:
    """Run `work` to the end even if cancelled meanwhile, then let the cancellation through.

    BEGIN, COMMIT, ROLLBACK and the hand-back of a connection must not stop half-way: a time-out or
    a closed socket would leak the connection or the lock that they hold.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()
        raise
