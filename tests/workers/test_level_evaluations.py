"""Levels as recurring work: what is due each ten minutes, everybody each night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from api.workers import level_evaluations
from api.workers.jobs import Job, recurring_jobs
from api.workers.level_evaluations import evaluate_levels, night_of
from api.workers.settings import WorkSettings
from domain import program
from domain.storage import execute, fetch_one
from tests.domain.tiers.evaluated import bought, codes, history, joined, local
from tests.domain.tiers.levels import SHANGHAI, three_levels
from tests.graphql.gateway import StandingClock

MOMENT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
async def _levels(database: str) -> None:
    await three_levels()


def job_of(clock: StandingClock) -> Job:
    jobs = {job.name: job for job in recurring_jobs(WorkSettings(), clock=clock)}
    return jobs["evaluate-levels"]


async def a_member(points: int = 1_000) -> UUID:
    """Who qualified on 1 March 2026."""
    [member] = await joined(f"a{points}")
    await bought(member, points, at=local("2026-03-01 12:00"))
    return member


@pytest.mark.parametrize("name", ["Asia/Shanghai", "America/New_York", "Asia/Kathmandu"])
def test_a_night_begins_ten_minutes_after_local_midnight(name: str) -> None:
    zone = ZoneInfo(name)
    begins = local("2026-11-01 00:10", zone=zone)
    assert night_of(begins, zone=zone) == begins
    assert night_of(begins - MOMENT, zone=zone) == local("2026-10-31 00:10", zone=zone)
    # The day on which the clocks go back in New York has 25 hours.
    assert night_of(local("2026-11-01 23:59", zone=zone), zone=zone) == begins


async def test_what_is_due_is_settled_within_ten_minutes() -> None:
    member = await a_member()
    midnight = local("2027-03-02")
    clock = StandingClock(midnight - timedelta(minutes=10))
    job = job_of(clock)
    assert job.every == timedelta(minutes=10)
    await job.run()
    assert await codes(member) == ["silver"]
    clock.advance(minutes=10)
    assert await job.run() == 1
    assert await codes(member) == ["base"]
    assert await job.run() == 0


async def test_everybody_is_looked_at_once_a_night_and_when_levels_change() -> None:
    member = await a_member(900)
    clock = StandingClock(local("2026-03-05 00:09"))
    job = job_of(clock)
    assert await job.run() == 0
    assert await walked() == local("2026-03-04 00:10").astimezone(UTC)
    clock.advance(minutes=1)
    assert await job.run() == 0
    assert await walked() == local("2026-03-05 00:10").astimezone(UTC)
    await execute("UPDATE level SET threshold = 900 WHERE code = 'silver'")
    clock.advance(minutes=10)
    assert await job.run() == 1
    assert await history(member) == [("base", "silver", "REDEFINED", clock.now())]
    assert await job.run() == 0


async def test_a_night_goes_by_the_programmes_time_zone() -> None:
    await a_member(900)
    new_york = ZoneInfo("America/New_York")
    programme = program.Programme(name_zh="茶", name_en="Tea", zone=new_york, currency="CNY")
    clock = StandingClock(local("2026-03-05 00:10"))
    await program.set_up(programme, now=clock.now())
    await job_of(clock).run()
    assert await walked() == local("2026-03-04 00:10", zone=new_york).astimezone(UTC)
    assert new_york != SHANGHAI


async def test_without_time_nothing_is_begun() -> None:
    member = await a_member()
    clock = StandingClock(local("2027-03-02"))
    assert await evaluate_levels(clock, within_s=0.0) == 0
    assert await codes(member) == ["silver"]
    assert await walked() is None


async def test_the_walk_goes_on_while_more_is_due_than_there_is_time_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    member = await a_member()
    clock = StandingClock(local("2027-03-02 00:10"))
    monkeypatch.setattr(level_evaluations, "DUE_SHARE", 0.0)
    assert await evaluate_levels(clock, within_s=60.0) == 1
    assert await codes(member) == ["base"]
    assert await walked() == local("2027-03-02 00:10").astimezone(UTC)


async def walked() -> datetime | None:
    """The night that was walked last."""
    row = await fetch_one(
        "SELECT slot_at, finished_at FROM level_evaluation WHERE walk = 'nightly'"
    )
    if row is None:
        return None
    assert row["finished_at"] is not None
    slot_at: datetime = row["slot_at"]
    return slot_at
