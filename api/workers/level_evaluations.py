"""Levels as recurring work: what is due every few minutes, and everybody each night.

Time passes by itself, so what it does to levels is settled from an index, soon after each moment. A
walk over all members, each night and whenever levels or rules were changed, brings what changed in
them to everybody. Both are cut off and gone on with as their slots end. Where very many are due at
once, as on 1 January, the walk still goes on in a share of each slot.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from zoneinfo import ZoneInfo

from domain import tiers
from domain.clock import Clock
from domain.ledger import local_midnight
from domain.program import program
from domain.tiers import LevelWalk

NIGHT_BEGINS: Final = timedelta(minutes=10)
"""So long after local midnight a night's walk begins: what ended at midnight is settled by then."""

DUE_SHARE: Final = 0.75
"""As much of a slot is for what is due; the walk has what that leaves."""


async def evaluate_levels(clock: Clock, *, within_s: float) -> int:
    """Settle what is due, and go on with tonight's walk; returns how many members changed."""
    now, ends_at = clock.now(), monotonic() + within_s
    zone = (await program()).zone
    due = await tiers.settle_due_levels(now=now, zone=zone, within_s=within_s * DUE_SHARE)
    walk = LevelWalk(name="nightly", slot_at=night_of(now, zone=zone))
    left_s = max(ends_at - monotonic(), 0.0)
    found = await tiers.evaluate_levels(walk, now=now, zone=zone, within_s=left_s)
    return due.changed + found.changed


def night_of(moment: datetime, *, zone: ZoneInfo) -> datetime:
    """When the night began that this moment belongs to: ten minutes after a local midnight."""
    today = (moment - NIGHT_BEGINS).astimezone(zone).date()
    return local_midnight(today, zone) + NIGHT_BEGINS
