"""A slot of a recurring job is begun by one worker, and anew only when it was not finished."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from domain.schedules import claim_slot, finish_slot, slot_of

HOUR = timedelta(hours=1)
PATIENCE = timedelta(minutes=15)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


async def claims(after_min: float, *, job: str = "count") -> bool:
    now = minutes(after_min)
    return await claim_slot(job, slot_at=slot_of(now, every=HOUR), now=now, patience=PATIENCE)


def test_slots_begin_at_full_multiples_of_utc() -> None:
    assert slot_of(minutes(0), every=HOUR) == slot_of(minutes(59.9), every=HOUR) == NOON
    assert slot_of(minutes(-0.1), every=HOUR) == minutes(-60)
    assert slot_of(minutes(0.26), every=timedelta(seconds=5)) == minutes(0.25)


@pytest.mark.usefixtures("database")
async def test_of_many_who_ask_at_once_one_begins() -> None:
    assert sum(await asyncio.gather(*(claims(n / 10) for n in range(20)))) == 1
    assert sum(await asyncio.gather(*(claims(60 + n / 10) for n in range(20)))) == 1
    assert await claims(60, job="another")
    # Somebody whose clock is behind does not begin what is over.
    assert not await claims(59)


@pytest.mark.usefixtures("database")
async def test_a_slot_that_is_not_finished_is_begun_three_times_at_most() -> None:
    assert [await claims(n) for n in (0, 14, 15.1, 16, 30, 30.2, 50, 59)] == [
        *(True, False, True),
        *(False, False, True),
        *(False, False),
    ]
    assert [await claims(n) for n in (60, 76)] == [True, True]


@pytest.mark.usefixtures("database")
async def test_a_slot_that_is_finished_is_not_begun_again() -> None:
    assert await claims(0)
    await finish_slot("count", slot_at=NOON, now=minutes(1))
    assert [await claims(n) for n in (16, 59, 60)] == [False, False, True]
    # The finish of an earlier slot, come late, finishes nothing else.
    await finish_slot("count", slot_at=NOON, now=minutes(61))
    assert await claims(76)
