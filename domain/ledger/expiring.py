"""Telling members that points of theirs are about to expire, once for each moment at which some do.

The walk goes over everybody in short transactions, so it may be stopped anywhere and begun again:
what was told already stands in the inbox, and is not told again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter
from typing import Final
from uuid import UUID

from domain.members import lock_members
from domain.notifications import Notification, facts_told, notify
from domain.storage import fetch_all, transaction

EXPIRING_NOTICE: Final = timedelta(days=7)
"""So long before they expire members are told of points."""

_BATCH: Final = 200
_KIND: Final = "POINTS_EXPIRING"
_NOBODY: Final = UUID(int=0)

_MEMBERS: Final = """
    SELECT DISTINCT member_id FROM points_lot
    WHERE member_id > $1 AND remaining > pinned AND expires_at > $2 AND expires_at <= $3
      AND NOT pending
    ORDER BY member_id LIMIT $4
"""
_EXPIRING: Final = """
    SELECT member_id, expires_at, SUM(remaining - pinned)::bigint AS points FROM points_lot
    WHERE member_id = ANY($1::uuid[]) AND remaining > pinned AND expires_at > $2
      AND expires_at <= $3 AND NOT pending
    GROUP BY member_id, expires_at ORDER BY member_id, expires_at
"""


async def tell_expiring(*, now: datetime, within_s: float) -> int:
    """Tell members of points that expire within EXPIRING_NOTICE; returns how often that was.

    Points that are held are not told of. Must not be called inside a transaction.
    """
    began, after, told = perf_counter(), _NOBODY, 0
    while perf_counter() - began < within_s:
        until = now + EXPIRING_NOTICE
        rows = await fetch_all(_MEMBERS, after, now, until, _BATCH)
        if not rows:
            break
        batch = [row["member_id"] for row in rows]
        told += await transaction(partial(_tell, batch, now=now, until=until))
        after = batch[-1]
    return told


async def _tell(member_ids: Sequence[UUID], *, now: datetime, until: datetime) -> int:
    # Of two workers with the same members one waits, and then finds them told.
    leads = await lock_members(member_ids)
    mine = sorted(one for one, lead in leads.items() if one == lead)
    rows = await fetch_all(_EXPIRING, mine, now, until)
    known = await facts_told(mine, kind=_KIND, since=now - 2 * EXPIRING_NOTICE)
    new = [
        Notification(
            member_id=row["member_id"],
            kind=_KIND,
            facts={"points": row["points"], "expires_at": row["expires_at"].isoformat()},
        )
        for row in rows
        if row["expires_at"].isoformat() not in _moments(known, row["member_id"])
    ]
    await notify(new, now=now)
    return len(new)


def _moments(known: Mapping[UUID, Sequence[Mapping[str, object]]], member_id: UUID) -> set[object]:
    return {facts.get("expires_at") for facts in known.get(member_id, ())}
