"""The recurring work for members' own records: writing exports, erasing whose time has come."""

from __future__ import annotations

from datetime import timedelta

from api.custody.settings import CustodySettings
from api.workers.jobs import Job
from domain import custody, members
from domain.clock import Clock
from domain.feedback import AttachmentStore


def custody_jobs(
    settings: CustodySettings, *, pictures: AttachmentStore, clock: Clock
) -> tuple[Job, ...]:
    """Both of them. `pictures` is where those of tickets are, which go into exports."""
    files, journal = settings.files, settings.journal

    async def write_exports() -> int:
        return await custody.write_exports(files=files, pictures=pictures, now=clock.now)

    async def erase_members() -> int:
        now = clock.now()
        tidied = await custody.tidy_exports(files=files, now=now)
        tidied += await members.forget_given_up_phones(now=now)
        return tidied + await custody.erase_due(journal=journal, files=files, now=now)

    return (
        Job(
            name="write-exports",
            every=timedelta(seconds=settings.write_exports_every_s),
            run=write_exports,
        ),
        Job(
            name="erase-members",
            every=timedelta(seconds=settings.erase_every_s),
            run=erase_members,
        ),
    )
