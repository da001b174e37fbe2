"""Several statements as of one moment, while others write and wait for nothing."""

from __future__ import annotations

import asyncio

import pytest
from tortoise.exceptions import OperationalError, TransactionManagementError

from domain.storage import (
    connection_statistics,
    execute,
    fetch_one,
    inside_transaction,
    snapshot,
    transaction,
)

pytestmark = pytest.mark.usefixtures("database")


async def count() -> int:
    row = await fetch_one("SELECT COUNT(*) AS jobs FROM schedule_slot")
    assert row is not None
    return int(row["jobs"])


async def add(job: str) -> None:
    await execute(
        "INSERT INTO schedule_slot (job, slot_at, tries, claimed_at)"
        " VALUES ($1, '2026-03-01 00:00:00.000000+00:00', 1, '2026-03-01 00:00:00.000000+00:00')",
        job,
    )


async def test_it_sees_one_moment_while_others_commit() -> None:
    await add("before")
    writes = asyncio.Event()
    wrote = asyncio.Event()

    async def write() -> None:
        await writes.wait()
        await add("meanwhile")
        wrote.set()

    async def look() -> tuple[int, int]:
        first = await count()
        writes.set()
        await wrote.wait()
        return first, await count()

    writer = asyncio.create_task(write())
    assert await snapshot(look) == (1, 1)
    await writer
    assert await snapshot(count) == 2


async def test_it_does_not_wait_for_a_writer() -> None:
    begun, seen = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        await add("unfinished")
        begun.set()
        await seen.wait()

    writer = asyncio.create_task(transaction(write))
    await begun.wait()
    assert await snapshot(count) == 0
    seen.set()
    await writer


async def test_it_joins_the_callers_transaction_or_snapshot() -> None:
    async def within() -> int:
        await add("mine")
        return await snapshot(count)

    assert await transaction(within) == 1

    async def nested() -> tuple[bool, int]:
        return inside_transaction(), await snapshot(count)

    assert await snapshot(nested) == (True, 1)


async def test_it_writes_nothing() -> None:
    with pytest.raises((OperationalError, TransactionManagementError)):
        await snapshot(lambda: add("forbidden"))
    assert await count() == 0


async def test_a_cancelled_one_gives_its_connection_back() -> None:
    idle = connection_statistics()["idle"]
    for _ in range(3):
        entered = asyncio.Event()

        async def hang(entered: asyncio.Event = entered) -> None:
            await count()
            entered.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(snapshot(hang))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert connection_statistics()["idle"] >= idle
    assert await snapshot(count) == 0
