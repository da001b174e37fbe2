"""The recurring work for files that go with messages: deleting those that nobody needs."""

from __future__ import annotations

from datetime import timedelta

from api.uploads.settings import UploadSettings
from api.workers.jobs import Job
from domain import feedback
from domain.clock import Clock
from domain.feedback import AttachmentStore


def attachment_jobs(
    settings: UploadSettings, *, store: AttachmentStore, clock: Clock
) -> tuple[Job, ...]:
    """The one there is."""

    async def sweep_attachments() -> int:
        return await feedback.sweep_attachments(store=store, now=clock.now())

    every = timedelta(seconds=settings.sweep_every_s)
    return (Job(name="sweep-attachments", every=every, run=sweep_attachments),)
