"""Reading a thing once per request, however many fields ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Once:
    """Remembers the answers of reads by name. Fields that run side by side share one read."""

    __slots__ = ("_reads",)

    def __init__(self) -> None:
        self._reads: dict[str, asyncio.Future[Any]] = {}

    async def read(self, name: str, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of `ask`, which runs only the first time."""
        if name not in self._reads:
            self._reads[name] = asyncio.ensure_future(ask())
        answer: T = await self._reads[name]
        return answer
