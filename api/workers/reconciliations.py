"""The recurring work of reconciling with partners: the files of days that are over."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from api.partners.settings import ReconciliationSettings
from api.workers.jobs import BUSY, Job
from domain import games
from domain.clock import Clock
from domain.files import FileStore

PATIENT_S: Final = 600.0
"""No run begins further files for longer: it would be taken for dead."""


def reconciliation_jobs(
    settings: ReconciliationSettings, *, files: FileStore, clock: Clock
) -> tuple[Job, ...]:
    """The one job."""
    within_s = min(settings.write_every_s * BUSY, PATIENT_S)

    async def reconcile_games() -> int:
        return await games.reconcile_due(files=files, now=clock.now, within_s=within_s)

    every = timedelta(seconds=settings.write_every_s)
    return (Job(name="reconcile-games", every=every, run=reconcile_games),)
