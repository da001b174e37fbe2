"""Cancelling work at random leaks no connection and loses no acknowledged point."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from tortoise.transactions import in_transaction

from domain import storage
from domain.ledger import NEVER, Earn, Key, Posted, Source, balance, post, verify_account
from domain.tiers.models import Level
from tests.domain.access.fixtures import NOW

CANCELLATIONS = 400
SEED = 20_261_122
IN_FLIGHT = 8

Tally = Callable[..., None]


class Work:
    """One kind of work after the other; counts what was acknowledged."""

    def __init__(self) -> None:
        self.member_id = uuid4()
        self.acknowledged = 0

    async def run(self, number: int) -> None:
        kinds = (self._earn, self._nested, self._bulk, self._read)
        await kinds[number % len(kinds)](number)

    async def _earn(self, number: int) -> None:
        command = Earn(
            member_id=self.member_id,
            points=1,
            source=Source(kind="fault", reference=str(number)),
            effective_at=NOW,
            expires_at=NEVER,
            key=Key(scope="fault", key=str(number)),
        )
        [outcome] = await post([command], now=NOW)
        assert isinstance(outcome, Posted)
        self.acknowledged += 1

    async def _nested(self, number: int) -> None:
        async with in_transaction("default"), in_transaction("default"):
            await storage.fetch_one("SELECT COUNT(*) AS n FROM points_entry")

    async def _bulk(self, number: int) -> None:
        rows = [
            Level(code=f"{number}-{n}", rank=n, name_zh="x", name_en="x", threshold=n)
            for n in range(number * 20, number * 20 + 20)
        ]
        await Level.bulk_create(rows)

    async def _read(self, number: int) -> None:
        await storage.fetch_all("SELECT * FROM points_entry WHERE member_id = $1", self.member_id)


async def cancel_soon(task: asyncio.Task[None], *, dice: random.Random) -> None:
    """Cancel after some steps of the loop or some time, now and then twice."""
    for _ in range(dice.randint(0, 12)):
        await asyncio.sleep(0)
    await asyncio.sleep(dice.choice([0, 0, dice.random() * 0.006]))
    task.cancel()
    if dice.random() < 0.3:
        await asyncio.sleep(0)
        task.cancel()


async def cancelled_at_random(work: Work, *, dice: random.Random) -> int:
    """Run works and cancel each, until so many were cut short; returns how many were started."""
    started = cut_short = 0
    while cut_short < CANCELLATIONS:
        assert started < 20 * CANCELLATIONS, "hardly any cancellation comes in time"
        tasks = [asyncio.create_task(work.run(started + n)) for n in range(IN_FLIGHT)]
        started += IN_FLIGHT
        await asyncio.gather(*(cancel_soon(task, dice=dice) for task in tasks))
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        cut_short += sum(isinstance(answer, asyncio.CancelledError) for answer in answers)
        assert [answer for answer in answers if isinstance(answer, Exception)] == []
    return started


async def idle_in_transaction() -> int:
    if storage.dialect() != "postgres":
        return 0
    row = await storage.fetch_one(
        "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database() "
        "AND state LIKE 'idle in transaction%'"
    )
    assert row is not None
    return int(row["n"])


async def entries(member_id: UUID) -> int:
    row = await storage.fetch_one(
        "SELECT COUNT(*) AS n FROM points_entry WHERE member_id = $1", member_id
    )
    assert row is not None
    return int(row["n"])


@pytest.mark.usefixtures("database")
async def test_cancelling_at_random_leaks_nothing(tally: Tally) -> None:
    work = Work()
    started = await cancelled_at_random(work, dice=random.Random(SEED))

    statistics = storage.connection_statistics()
    assert statistics["idle"] == statistics["open"] > 0
    assert await idle_in_transaction() == 0
    # Whatever was acknowledged is there; what was cut short may be, once and whole.
    written = await entries(work.member_id)
    assert work.acknowledged <= written <= started
    assert (await balance(work.member_id, now=NOW)).available == written
    assert await verify_account(work.member_id) == []
    # And the storage works on: every earning posted again is either there or goes through now.
    for number in range(0, started, 4):
        await work.run(number)
    assert await entries(work.member_id) == started // 4
    tally(f"works cancelled ({storage.dialect()}), of {started:,}", CANCELLATIONS, CANCELLATIONS)
