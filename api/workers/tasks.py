"""Ending tasks of asyncio in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


async def end_within(seconds: float, tasks: Iterable[asyncio.Task[Any]]) -> int:
    """Wait for tasks that were told to stop, then cancel them; returns how many were cancelled."""
    waiting = list(tasks)
    if not waiting:
        return 0
    _, late = await asyncio.wait(waiting, timeout=seconds)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)
    return len(late)
