"""Reading with several statements as of one moment, without a lock that anybody waits for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from domain.storage.database import client, dialect, execute
from domain.storage.transactions import inside_transaction, transaction

T = TypeVar("T")


async def snapshot(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work`, which only reads, so that all its statements see the database of one moment.

    Others post meanwhile and are not waited for. Inside a transaction `work` sees what that one
    sees. A statement that would write fails.
    """
    if inside_transaction():
        return await work()
    if dialect() == "sqlite":
        # One of the readers, for as long as this takes; the writer goes on.
        embedded: Any = client()
        read: T = await embedded.as_of_one_moment(work)
        return read

    async def repeatable() -> T:
        await execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return await work()

    return await transaction(repeatable)
