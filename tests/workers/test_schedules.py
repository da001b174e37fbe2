"""Recurring jobs: once in each slot however many workers watch, and anew where one was lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from taskiq import AsyncBroker, BrokerMessage, InMemoryBroker, ScheduledTask

from api.workers import schedules as schedules_module
from api.workers.jobs import Job, recurring_jobs
from api.workers.schedules import Schedules
from api.workers.settings import WorkSettings
from domain.ledger import post
from domain.members import RequestSignInCode, request_sign_in_code
from domain.outbox import Event, announce, deliver, stream
from domain.storage import ConnectionLost, fetch_all
from domain.texting import LoggedTextMessages
from tests.domain.ledger.commands import ALICE, earn
from tests.graphql.gateway import NOW, StandingClock

pytestmark = pytest.mark.usefixtures("database")

HOUR = timedelta(hours=1)


class BrokenBroker(InMemoryBroker):
    """Takes nothing."""

    async def kick(self, message: BrokerMessage) -> None:
        raise ConnectionRefusedError


class Counting:
    """A job that counts how often it was done, and may fail."""

    def __init__(self, name: str = "count", *, every: timedelta = HOUR) -> None:
        self.done = 0
        self.works = True
        self.job = Job(name=name, every=every, run=self.run)

    async def run(self) -> int:
        if not self.works:
            raise ZeroDivisionError
        self.done += 1
        return self.done


async def tick(*watchers: Schedules) -> None:
    """Each watches once, at the same time, and what was begun is done."""
    await asyncio.gather(*(one.begin_what_is_due() for one in watchers))
    while running := [task for one in watchers for task in tasks_of(one)]:
        await asyncio.gather(*running)


def tasks_of(watcher: Schedules) -> list[asyncio.Task[None]]:
    broker = watcher._scheduler.broker
    assert isinstance(broker, InMemoryBroker)
    return [*broker._running_tasks, *watcher.running]


def watcher(counting: Counting, clock: StandingClock, *, broker: AsyncBroker) -> Schedules:
    return Schedules([counting.job], broker=broker, clock=clock)


@pytest.mark.parametrize("broker", [InMemoryBroker, BrokenBroker])
async def test_each_slot_is_done_once_by_one_of_two_workers(broker: type[AsyncBroker]) -> None:
    clock, counting = StandingClock(NOW), Counting()
    watchers = [watcher(counting, clock, broker=broker()) for _ in range(2)]
    for hours in range(1, 4):
        for _ in range(3):
            await tick(*watchers)
            clock.advance(minutes=20)
        assert counting.done == hours
    [row] = await fetch_all("SELECT job, slot_at, finished_at, tries FROM schedule_slot")
    assert (row["job"], row["slot_at"], row["tries"]) == ("count", NOW + 2 * HOUR, 1)
    assert row["finished_at"] == NOW + 2 * HOUR


async def test_a_queue_that_is_away_is_done_without() -> None:
    clock, counting = StandingClock(NOW), Counting()
    with capture_logs() as logs:
        await tick(watcher(counting, clock, broker=BrokenBroker()))
    assert counting.done == 1
    assert [line["event"] for line in logs] == ["job_not_queued", "job_done"]
    assert logs[1]["count"] == 1


async def test_a_job_that_fails_is_begun_anew_three_times_in_its_slot() -> None:
    clock, counting = StandingClock(NOW), Counting()
    counting.works = False
    one, two = (watcher(counting, clock, broker=InMemoryBroker()) for _ in range(2))
    failures = []
    for _ in range(59):
        with capture_logs() as logs:
            await tick(one, two)
        failures += [clock.now() - NOW for line in logs if line["event"] == "job_failed"]
        clock.advance(minutes=1)
    # A quarter of an hour after each try, when somebody looks.
    assert failures == [timedelta(minutes=minutes) for minutes in (0, 16, 32)]
    counting.works = True
    clock.advance(minutes=1)
    await tick(one, two)
    assert counting.done == 1


async def test_a_job_whose_message_was_lost_is_begun_by_another() -> None:
    clock, counting = StandingClock(NOW), Counting()
    lossy = InMemoryBroker()

    async def lose(message: BrokerMessage) -> None:
        return

    lossy.kick = lose  # type: ignore[method-assign]
    await tick(watcher(counting, clock, broker=lossy))
    other = watcher(counting, clock, broker=InMemoryBroker())
    await tick(other)
    assert counting.done == 0
    clock.advance(minutes=16)
    await tick(other)
    assert counting.done == 1


async def test_the_jobs_of_the_programme() -> None:
    clock = StandingClock(NOW)
    work = WorkSettings(keep_events_days=3)
    jobs = {job.name: job for job in recurring_jobs(work, clock=clock)}
    refresh, forget = jobs["refresh-recommendations"], jobs["forget-events"]
    assert (refresh.every, forget.every) == (HOUR, HOUR)
    assert jobs["sweep-points"].every == HOUR / 60
    assert await refresh.run() == 0

    def events(count: int) -> list[Event]:
        return [Event(kind="A", member_id=ALICE, facts={})] * count

    long_ago = NOW - timedelta(days=3, seconds=1)
    await announce(events(5), now=long_ago)
    await announce(events(2), now=long_ago + timedelta(seconds=1))
    assert await forget.run() == 0
    await deliver([], now=NOW)
    assert await forget.run() == 5
    assert [one.seq for one in await stream(ALICE, after=5, limit=9)] == [6, 7]
    assert await forget.run() == 0


async def test_points_are_swept_each_minute() -> None:
    clock = StandingClock(NOW)
    jobs = {job.name: job for job in recurring_jobs(WorkSettings(), clock=clock)}
    sweep = jobs["sweep-points"]
    assert await sweep.run() == 0
    await post([earn(5, at=NOW, expires=NOW + HOUR), earn(7, at=NOW)], now=NOW)
    assert await sweep.run() == 0
    clock.advance(hours=1)
    assert await sweep.run() == 1
    assert await sweep.run() == 0


async def test_sign_in_codes_are_forgotten_once_nothing_counts_them() -> None:
    clock = StandingClock(NOW)
    jobs = {job.name: job for job in recurring_jobs(WorkSettings(), clock=clock)}
    forget = jobs["forget-sign-in-codes"]
    assert forget.every == HOUR
    command = RequestSignInCode(phone="+8613800138000")
    await request_sign_in_code(command, texts=LoggedTextMessages(), now=NOW)
    assert await forget.run() == 0
    clock.advance(hours=24, seconds=1)
    assert await forget.run() == 1
    assert await forget.run() == 0


async def test_a_database_that_fails_ends_no_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, counting = StandingClock(NOW), Counting()
    watching = watcher(counting, clock, broker=InMemoryBroker())
    stopping, faults = asyncio.Event(), iter([ConnectionLost("gone"), ZeroDivisionError()])

    async def fail(task: ScheduledTask) -> None:
        for fault in faults:
            raise fault
        stopping.set()

    monkeypatch.setattr(watching._source, "pre_send", fail)
    monkeypatch.setattr(schedules_module, "TICK_S", 0.001)
    monkeypatch.setattr(schedules_module, "LOOK_AGAIN", timedelta(0))
    with capture_logs() as logs:
        await asyncio.wait_for(watching.run(stopping), 10)
    assert [line["event"] for line in logs] == ["schedule_failed", "schedule_failed"]
