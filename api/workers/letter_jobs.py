"""The recurring work of writing to members about new products."""

from __future__ import annotations

from datetime import timedelta

from api.workers.jobs import BUSY, Job
from api.workers.settings import WorkSettings
from domain import recommendations
from domain.clock import Clock


def letter_jobs(work: WorkSettings, *, clock: Clock) -> tuple[Job, ...]:
    """All of it."""

    async def send_letters() -> int:
        return await recommendations.send_letters(
            pause=timedelta(days=work.letter_pause_days),
            now=clock.now(),
            within_s=work.send_letters_every_s * BUSY,
        )

    every = timedelta(seconds=work.send_letters_every_s)
    return (Job(name="send-letters", every=every, run=send_letters),)
