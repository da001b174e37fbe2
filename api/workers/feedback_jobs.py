"""The recurring work for tickets: deadlines that passed, and what nobody says more in."""

from __future__ import annotations

from datetime import timedelta

from api.workers.jobs import BUSY, Job
from api.workers.settings import WorkSettings
from domain import feedback
from domain.clock import Clock


def feedback_jobs(work: WorkSettings, *, clock: Clock) -> tuple[Job, ...]:
    """All of it."""

    async def watch_deadlines() -> int:
        within_s = work.watch_deadlines_every_s * BUSY
        watched = await feedback.watch_deadlines(now=clock.now(), within_s=within_s)
        return watched.breaches

    async def close_tickets() -> int:
        closed = 0
        while found := await feedback.close_silent(now=clock.now()):
            closed += found
        return closed

    return (
        Job(name="close-tickets", every=timedelta(seconds=work.forget_every_s), run=close_tickets),
        Job(
            name="watch-deadlines",
            every=timedelta(seconds=work.watch_deadlines_every_s),
            run=watch_deadlines,
        ),
    )
