"""Reading ahead: what comes next is fetched while what came last is used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def ahead(pages: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """The same pages in the same order, one of them ahead; what fails, fails in its place."""

    async def fetch() -> tuple[T] | None:
        try:
            return (await anext(pages),)
        except StopAsyncIteration:
            return None

    following = asyncio.create_task(fetch())
    try:
        while (page := await following) is not None:
            following = asyncio.create_task(fetch())
            yield page[0]
    finally:
        following.cancel()
        await asyncio.wait([following])
