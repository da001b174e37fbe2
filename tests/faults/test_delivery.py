"""Workers that are killed at the worst moment: nothing is lost, and idempotent effects happen once.

The worst moments are those between the consumer's effect and the record of it, and before either.
`kill -9` does not test the loss of power.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest

from domain import storage
from domain.outbox import Announced, Consumer, Event, announce, drain, outbox_status
from domain.storage import fetch_all
from tests.races.contention import PATIENT
from tests.races.delivering import make_heard
from tests.races.test_delivery import said, tell_everybody, verdict, worker

pytestmark = pytest.mark.faults


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[str]:
    """The product connected to a fresh database on PostgreSQL."""
    await storage.connect(postgres_url, pool=PATIENT)
    yield postgres_url
    await storage.close()


Tally = Callable[[str, int, int], None]

KILLS = {False: 6, True: 50}
LEASE_S = 0.5


async def kill_workers(url: str, kills: int, **options: Any) -> None:
    """Let workers hang at their second batch and kill them; then let one deliver the rest."""
    await make_heard(url)
    for number in range(kills):
        await tell_everybody(2)
        # After the effect in one, before it in the next.
        hang = 30 if number % 2 else -30
        async with worker(url, f"{number}", lease_s=LEASE_S, hang=hang, **options) as dying:
            assert dying.stdin is not None
            dying.stdin.write(b"go\n")
            await said(dying, "hanging")
            dying.kill()
            await dying.wait()
    async with worker(url, "last", lease_s=LEASE_S, **options) as last:
        assert last.stdin is not None
        last.stdin.write(b"go\n")
        await said(last, "drained")
    assert (await outbox_status()).undelivered == 0


@pytest.mark.soak
async def test_killed_workers_lose_nothing(postgres: str, full_form: bool, tally: Tally) -> None:
    kills = KILLS[full_form]
    await kill_workers(postgres, kills)
    # Handed over again: the kills came between effect and record.
    assert await verdict() == ["repeated"]
    tally("workers killed while they delivered", kills, KILLS[False])


@pytest.mark.soak
async def test_effects_that_are_consumed_once_happen_once(
    postgres: str,
    full_form: bool,
    tally: Tally,
) -> None:
    kills = KILLS[full_form]
    await kill_workers(postgres, kills, once=True)
    assert await verdict() == []
    workers = {row["worker"] for row in await fetch_all("SELECT DISTINCT worker FROM heard")}
    # Those that were killed after their effect had one.
    assert {f"{n}" for n in range(1, kills, 2)} <= workers
    tally("workers killed between an effect and its record", kills, KILLS[False])


async def test_progress_that_is_recorded_before_the_effect_is_found(postgres: str) -> None:
    await kill_workers(postgres, 1, plant="recorded before it is handled")
    assert "lost" in await verdict()


async def test_a_stream_waits_for_the_end_of_a_dead_workers_lease(postgres: str) -> None:
    """And no longer: the worker that takes over need not know of the death."""
    await make_heard(postgres)
    await tell_everybody(1)
    async with worker(postgres, "dying", lease_s=2, hang=1) as dying:
        assert dying.stdin is not None
        dying.stdin.write(b"go\n")
        await said(dying, "hanging")
        dying.kill()
        await dying.wait()
    loop = asyncio.get_running_loop()
    killed_at = loop.time()
    async with worker(postgres, "next", lease_s=2) as other:
        assert other.stdin is not None
        other.stdin.write(b"go\n")
        await said(other, "drained")
    assert loop.time() - killed_at < 10
    rows = await fetch_all("SELECT worker, COUNT(*) AS n FROM heard GROUP BY worker")
    assert {row["worker"]: row["n"] for row in rows} == {"dying": 3, "next": 30}


MEMBERS_OF_AN_IMPORT = {False: 5_000, True: 125_000}
EVENTS_EACH = 4


@pytest.mark.soak
@pytest.mark.usefixtures("database")
async def test_an_import_drains_at_thousands_of_events_a_second(
    full_form: bool, tally: Tally
) -> None:
    """What a bulk import leaves behind: some events of each of very many members."""
    members = [UUID(int=n) for n in range(1, MEMBERS_OF_AN_IMPORT[full_form] + 1)]
    now = datetime.now(UTC)
    for start in range(0, len(members), 500):
        some = [member_id for member_id in members[start : start + 500] for _ in range(EVENTS_EACH)]
        await announce([Event(kind="A", member_id=one, facts={}) for one in some], now=now)
    taken: list[int] = []

    async def take(events: Sequence[Announced]) -> None:
        taken.append(len(events))

    started_at = perf_counter()
    delivered = await drain([Consumer("counter", None, take)], clock=lambda: datetime.now(UTC))
    took_s = perf_counter() - started_at
    count = len(members) * EVENTS_EACH
    assert (sum(taken), delivered.events, delivered.streams) == (count, count, len(members))
    assert max(taken) == 200 * EVENTS_EACH
    tally(f"events drained a second ({storage.dialect()})", int(count / took_s), 2_000)
