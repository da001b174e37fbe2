"""Beginning recurring jobs: every worker watches the time, and one of them begins each slot.

Who begins a slot is decided by one row of the database (`domain.schedules`), so workers need no
leader. The job itself goes through the queue, to whichever worker is free; where the queue does not
take it, who began the slot does it. A job whose worker died is begun anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, Final

import structlog
from taskiq import AsyncBroker, ScheduledTask, ScheduleSource, TaskiqScheduler
from taskiq.exceptions import ScheduledTaskCancelledError, SendTaskError

from api.workers.jobs import Job
from domain import schedules
from domain.clock import Clock
from domain.storage import StorageFault

log = structlog.get_logger("jifen.work")

PATIENCE: Final = timedelta(minutes=15)
"""After so long a job that has not finished is begun anew: longer than any of them takes."""

LOOK_AGAIN: Final = timedelta(seconds=60)
"""How often a worker asks whether the slot that another began is finished."""

TICK_S: Final = 1.0


class Slots(ScheduleSource):
    """The jobs as taskiq sees them; before one is sent, its slot is claimed."""

    def __init__(self, jobs: Sequence[Job], *, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock

    async def get_schedules(self) -> list[ScheduledTask]:
        """Each job, with the slot of this moment as its argument."""
        return [
            ScheduledTask(
                task_name=job.name,
                labels={},
                args=[],
                kwargs={"slot_at": self.slot_of(job).isoformat()},
                schedule_id=job.name,
                interval=job.every,
            )
            for job in self._jobs
        ]

    def slot_of(self, job: Job) -> datetime:
        """When the job's present slot began."""
        return schedules.slot_of(self._clock.now(), every=job.every)

    async def pre_send(self, task: ScheduledTask) -> None:
        """Claim the slot; cancelled where another worker has it."""
        claimed = await schedules.claim_slot(
            task.task_name,
            slot_at=datetime.fromisoformat(task.kwargs["slot_at"]),
            now=self._clock.now(),
            patience=PATIENCE,
        )
        if not claimed:
            raise ScheduledTaskCancelledError


class Schedules:
    """Begins each job when it is due, and knows how to do it."""

    def __init__(self, jobs: Sequence[Job], *, broker: AsyncBroker, clock: Clock) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._clock = clock
        self._source = Slots(jobs, clock=clock)
        self._scheduler = TaskiqScheduler(broker, [self._source])
        self._look_at: dict[str, datetime] = {}
        self._running: set[asyncio.Task[Any]] = set()
        for job in jobs:
            broker.register_task(self._task_of(job), task_name=job.name)

    @property
    def running(self) -> frozenset[asyncio.Task[Any]]:
        """The tasks that do a job now, whoever began them."""
        return frozenset(self._running)

    async def run(self, stopping: asyncio.Event) -> None:
        """Watch until told to stop."""
        while not stopping.is_set():
            try:
                await self.begin_what_is_due()
            except StorageFault as fault:
                log.warning("schedule_failed", error=type(fault).__name__, reason=str(fault))
            except Exception:
                log.exception("schedule_failed")
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await stopping.wait()

    async def begin_what_is_due(self) -> None:
        """Begin the jobs whose slot nobody has begun."""
        for task in await self._source.get_schedules():
            now, job = self._clock.now(), self._jobs[task.task_name]
            if now < self._look_at.get(job.name, now):
                continue
            self._look_at[job.name] = min(now + LOOK_AGAIN, self._source.slot_of(job) + job.every)
            try:
                await self._scheduler.on_ready(self._source, task)
            except SendTaskError as fault:
                log.warning("job_not_queued", job=job.name, reason=repr(fault.__cause__))
                here = asyncio.create_task(self._do(job, slot_at=task.kwargs["slot_at"]))
                self._keep(here)

    def _task_of(self, job: Job) -> Callable[[str], Awaitable[None]]:
        async def do(slot_at: str) -> None:
            current = asyncio.current_task()
            assert current is not None
            self._keep(current)
            await self._do(job, slot_at=slot_at)

        return do

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _do(self, job: Job, *, slot_at: str) -> None:
        """Do the job; a slot that fails stays unfinished, and is begun anew."""
        started_at = perf_counter()
        try:
            count = await job.run()
            await schedules.finish_slot(
                job.name, slot_at=datetime.fromisoformat(slot_at), now=self._clock.now()
            )
        except Exception:
            log.exception("job_failed", job=job.name, slot_at=slot_at)
            return
        took_ms = round((perf_counter() - started_at) * 1_000, 1)
        # Some look each few seconds whether there is something to do.
        tell = log.info if count else log.debug
        tell("job_done", job=job.name, slot_at=slot_at, count=count, duration_ms=took_ms)
