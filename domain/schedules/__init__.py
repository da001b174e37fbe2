"""Recurring jobs: each slot of time is begun by one worker, whoever asks first.

The slots of a job that runs each hour begin at the full hours (UTC), whatever the number of
workers and whenever they started. A slot whose job does not finish is begun anew, a few times.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from domain.storage import execute

TRIES_MAX: Final = 3

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def slot_of(moment: datetime, *, every: timedelta) -> datetime:
    """When the slot began that this moment belongs to."""
    return moment - (moment - _EPOCH) % every


async def claim_slot(job: str, *, slot_at: datetime, now: datetime, patience: timedelta) -> bool:
    """Whether the caller is the one who begins the job's slot. One statement.

    A slot that was claimed longer than `patience` ago and is not finished may be claimed again:
    its worker died, or its message was lost. At most three times in all.
    """
    claimed = await execute(
        """
        INSERT INTO schedule_slot AS s (job, slot_at, tries, claimed_at)
        VALUES ($1, $2, 1, $3)
        ON CONFLICT (job) DO UPDATE SET
            slot_at = EXCLUDED.slot_at,
            tries = CASE WHEN s.slot_at = EXCLUDED.slot_at THEN s.tries + 1 ELSE 1 END,
            claimed_at = EXCLUDED.claimed_at,
            finished_at = NULL
        WHERE s.slot_at < EXCLUDED.slot_at
           OR (s.slot_at = EXCLUDED.slot_at AND s.finished_at IS NULL
               AND s.claimed_at < $4 AND s.tries < $5)
        """,
        job,
        slot_at,
        now,
        now - patience,
        TRIES_MAX,
    )
    return claimed == 1


async def finish_slot(job: str, *, slot_at: datetime, now: datetime) -> None:
    """The job of this slot has done its work."""
    await execute(
        "UPDATE schedule_slot SET finished_at = $3 WHERE job = $1 AND slot_at = $2",
        job,
        slot_at,
        now,
    )


__all__ = ["TRIES_MAX", "claim_slot", "finish_slot", "slot_of"]
