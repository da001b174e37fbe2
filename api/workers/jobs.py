"""The recurring jobs of the programme."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from api.workers.settings import WorkSettings
from domain import outbox, recommendations
from domain.clock import Clock


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done once in each slot of `every`, by one worker.

    It may be done twice, or again from the beginning: it must bear that. `run` answers how much it
    did, for the log. `name` is kept in the database: it must not change.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[int]]


def recurring_jobs(work: WorkSettings, *, clock: Clock) -> tuple[Job, ...]:
    """All of them."""

    async def refresh_recommendations() -> int:
        return await recommendations.refresh_popularity(now=clock.now())

    async def forget_events() -> int:
        before = clock.now() - timedelta(days=work.keep_events_days)
        forgotten = 0
        while found := await outbox.forget(before=before):
            forgotten += found
        return forgotten

    return (
        Job(
            name="refresh-recommendations",
            every=timedelta(seconds=work.refresh_recommendations_every_s),
            run=refresh_recommendations,
        ),
        Job(
            name="forget-events",
            every=timedelta(seconds=work.forget_every_s),
            run=forget_events,
        ),
    )
