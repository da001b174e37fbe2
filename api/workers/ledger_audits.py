"""The audit of the ledger as recurring work: what changed each minute, everything each night.

Both are walks that many short runs take on: each goes on where the one before ended, also where
that one was killed; the nightly one until the night's walk is over, the other around and around.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from uuid_utils.compat import uuid7

from api.observability.metrics import LEDGER_AUDITED, LEDGER_FROZEN, LEDGER_VIOLATIONS
from domain import ledger, schedules
from domain.audit import Actor
from domain.clock import Clock
from domain.ledger import LedgerAudit, Walk

NIGHT: Final = timedelta(days=1)


async def audit_changes(clock: Clock, *, within_s: float) -> int:
    """Audit the accounts that changed since they were found sound; returns the entries read.

    Each goes on where time ran out for the one before. Frozen accounts are left to the night, so
    that they are not read again each minute until somebody mends them.
    """
    now = clock.now()
    found = await ledger.audit_ledger(
        by=_job("audit-changes"),
        now=now,
        complete=False,
        frozen=False,
        within_s=within_s,
        walk=Walk(name="changes", slot_at=now, around=True),
    )
    return await _told(found)


async def audit_everything(clock: Clock, *, begins_s: int, within_s: float) -> int:
    """Go on with tonight's audit of everything; returns the entries read, 0 once it is over.

    A night begins `begins_s` seconds after midnight UTC.
    """
    now = clock.now()
    walk = Walk(name="nightly", slot_at=night_of(now, begins_s=begins_s))
    found = await ledger.audit_ledger(
        by=_job("audit-everything"), now=now, walk=walk, within_s=within_s
    )
    return await _told(found)


def night_of(moment: datetime, *, begins_s: int) -> datetime:
    """When the night began that this moment belongs to."""
    shift = timedelta(seconds=begins_s)
    return schedules.slot_of(moment - shift, every=NIGHT) + shift


async def _told(found: LedgerAudit) -> int:
    LEDGER_AUDITED.inc(found.entries_checked)
    for violation in found.violations:
        LEDGER_VIOLATIONS.labels(violation.rule).inc()
    LEDGER_FROZEN.set(await ledger.frozen_accounts())
    return found.entries_checked


def _job(name: str) -> Actor:
    return Actor(name=f"job:{name}", request_id=uuid7().hex)
