"""The audit as recurring work: what changed each minute, everything once a night, metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from api.observability.metrics import REGISTRY
from api.workers.jobs import Job, recurring_jobs
from api.workers.ledger_audits import audit_changes, night_of
from api.workers.settings import WorkSettings
from domain.ledger import post
from domain.storage import execute
from tests.domain.ledger.commands import ALICE, BOB, earn
from tests.graphql.gateway import NOW, StandingClock

pytestmark = pytest.mark.usefixtures("database")


def audits(clock: StandingClock) -> tuple[Job, Job]:
    jobs = {job.name: job for job in recurring_jobs(WorkSettings(), clock=clock)}
    return jobs["audit-changes"], jobs["audit-everything"]


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_night_begins_at_three_in_the_morning_in_china() -> None:
    begins_s = WorkSettings().audit_begins_s
    begins = datetime(2026, 3, 1, 19, tzinfo=UTC)
    second = timedelta(seconds=1)
    for moment, night in (
        (begins, begins),
        (begins - second, begins - timedelta(days=1)),
        (begins + timedelta(days=1) - second, begins),
    ):
        assert night_of(moment, begins_s=begins_s) == night


async def test_changes_each_minute_and_everything_once_a_night() -> None:
    clock = StandingClock(NOW)
    changes, everything = audits(clock)
    assert (changes.every, everything.every) == (timedelta(minutes=1), timedelta(minutes=10))
    await post([earn(10), earn(20, member_id=BOB)], now=NOW)
    assert (await changes.run(), await changes.run()) == (2, 0)
    assert (await everything.run(), await everything.run()) == (2, 0)
    clock.advance(hours=6, minutes=59)
    assert await everything.run() == 0
    clock.advance(minutes=1)
    assert (await everything.run(), await everything.run()) == (2, 0)


async def test_changes_are_audited_from_where_time_ran_out_and_around(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first account, which changes all the time, does not keep the others from their turn."""
    monkeypatch.setattr("domain.ledger.auditing.audits.ACCOUNTS_OF_A_BATCH", 1)
    clock = iter(range(100))
    monkeypatch.setattr("domain.ledger.auditing.audits.monotonic", lambda: next(clock))
    for number in (1, 2, 3):
        await post([earn(10, member_id=UUID(int=number))] * 10**number, now=NOW)
    read = []
    for _ in range(5):
        # Time for one batch.
        read.append(await audit_changes(StandingClock(NOW), within_s=2))
        await post([earn(1, member_id=UUID(int=1))], now=NOW)
    assert read == [10, 100, 1000, 13, 14]


async def test_a_frozen_account_is_left_to_the_night() -> None:
    changes, everything = audits(StandingClock(NOW))
    await post([earn(10), earn(20, member_id=BOB)], now=NOW)
    await execute("UPDATE points_account SET available = 11 WHERE member_id = $1", ALICE)
    assert (await changes.run(), await changes.run()) == (2, 0)
    assert metric("jifen_ledger_frozen_accounts") == 1
    assert await everything.run() == 2


async def test_what_is_found_is_counted() -> None:
    changes, everything = audits(StandingClock(NOW))
    read = metric("jifen_ledger_audited_entries_total")
    sums = metric("jifen_ledger_violations_total", rule="sum")
    await post([earn(10), earn(20, member_id=BOB)], now=NOW)
    await changes.run()
    assert metric("jifen_ledger_frozen_accounts") == 0
    await execute("UPDATE points_account SET available = 11 WHERE member_id = $1", ALICE)
    assert await changes.run() == 0, "a balance alone tells no change: the night finds it"
    assert await everything.run() == 2
    assert metric("jifen_ledger_frozen_accounts") == 1
    assert metric("jifen_ledger_violations_total", rule="sum") == sums + 1
    assert metric("jifen_ledger_audited_entries_total") == read + 4
