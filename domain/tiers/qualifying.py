"""Counting what qualifies, and lifting members to the level that they reach, at once.

Runs inside the transaction of the posting that earned the points, after the ledger has locked the
accounts: two earnings of one member never decide at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.ledger import POINTS_MAX
from domain.notifications import Notification, notify
from domain.outbox import Event, announce
from domain.storage import Row, Table, fetch_all
from domain.tiers.ladder import LevelDefinition, level_reached, review_moment, window_start
from domain.tiers.standing import read_levels
from domain.tiers.tables import LEVEL_CHANGES, MEMBER_LEVELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualifying:
    """Points, and how many purchases they come from, that count towards a member's level."""

    member_id: UUID
    points: int
    purchases: int
    occurred_at: datetime
    source_kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChanged:
    """A member moved from one level to another."""

    member_id: UUID
    from_code: str
    to_code: str
    qualifying_points: int
    occurred_at: datetime


_DAYS = Table("qualifying_day", member_id="uuid", day="date", points="bigint", purchases="integer")
_CANDIDATES = """
    SELECT q.member_id, SUM(q.points)::bigint AS points,
           MAX(m.level_code) AS level_code, MAX(m.changes) AS changes
    FROM qualifying_day AS q
    LEFT JOIN member_level AS m ON m.member_id = q.member_id
    WHERE q.member_id = ANY($1::uuid[]) AND q.day > $2
    GROUP BY q.member_id
    ORDER BY q.member_id
"""


async def qualify(
    items: Sequence[Qualifying], *, zone: ZoneInfo, now: datetime
) -> list[LevelChanged]:
    """Count the items on their local days and lift each member to the level now reached.

    A fixed number of statements whatever the number of items. Returns the changes.
    """
    counted = [item for item in items if item.points > 0]
    if not counted:
        return []
    await _count(counted, zone=zone)
    start = window_start(now.astimezone(zone).date())
    if all(item.occurred_at.astimezone(zone).date() <= start for item in counted):
        return []  # Too old to count today: nobody's level can change.
    levels = await read_levels()
    if not levels:
        return []
    members = sorted({item.member_id for item in counted})
    rows = await fetch_all(_CANDIDATES, members, start)
    sources = {item.member_id: item.source_kind for item in counted}
    lifted = [(row, change) for row in rows if (change := _decide(row, levels=levels, now=now))]
    await _write(lifted, sources=sources, zone=zone, now=now)
    return [change for _, change in lifted]


async def _count(items: Sequence[Qualifying], *, zone: ZoneInfo) -> None:
    sums: dict[tuple[UUID, object], list[int]] = {}
    for item in items:
        day = item.occurred_at.astimezone(zone).date()
        total = sums.setdefault((item.member_id, day), [0, 0])
        total[0] += item.points
        total[1] += item.purchases
    await _DAYS.insert(
        (
            {
                "member_id": member_id,
                "day": day,
                "points": min(points, POINTS_MAX),
                "purchases": purchases,
            }
            for (member_id, day), (points, purchases) in sums.items()
        ),
        # A day holds no more than points can be: whoever is there has every level long since.
        or_update="(member_id, day) DO UPDATE SET points = CASE "
        f"WHEN qualifying_day.points > {POINTS_MAX} - excluded.points THEN {POINTS_MAX} "
        "ELSE qualifying_day.points + excluded.points END, "
        "purchases = qualifying_day.purchases + excluded.purchases",
    )


def _decide(row: Row, *, levels: Sequence[LevelDefinition], now: datetime) -> LevelChanged | None:
    by_code = {level.code: level for level in levels}
    current = by_code.get(row["level_code"] or "", levels[0])
    reached = level_reached(row["points"], levels=levels)
    if reached.rank <= current.rank:
        return None
    return LevelChanged(
        member_id=row["member_id"],
        from_code=current.code,
        to_code=reached.code,
        qualifying_points=min(row["points"], POINTS_MAX),
        occurred_at=now,
    )


async def _write(
    lifted: Sequence[tuple[Row, LevelChanged]],
    *,
    sources: dict[UUID, str],
    zone: ZoneInfo,
    now: datetime,
) -> None:
    today = now.astimezone(zone).date()
    await MEMBER_LEVELS.insert(
        (
            {
                "member_id": change.member_id,
                "level_code": change.to_code,
                "since": now,
                "keep_until": review_moment(today, zone=zone),
                "keep_after_day": today,
                "changes": (row["changes"] or 0) + 1,
            }
            for row, change in lifted
        ),
        or_update="(member_id) DO UPDATE SET level_code = excluded.level_code, "
        "since = excluded.since, keep_until = excluded.keep_until, "
        "keep_after_day = excluded.keep_after_day, changes = excluded.changes",
    )
    await LEVEL_CHANGES.insert(
        {
            "member_id": change.member_id,
            "seq": (row["changes"] or 0) + 1,
            "from_code": change.from_code,
            "to_code": change.to_code,
            "reason": "QUALIFIED",
            "qualifying_points": change.qualifying_points,
            "source_kind": sources[change.member_id],
            "occurred_at": now,
        }
        for row, change in lifted
    )
    await notify(
        (
            Notification(
                member_id=change.member_id, kind="LEVEL_REACHED", facts={"level": change.to_code}
            )
            for _, change in lifted
        ),
        now=now,
    )
    await announce(
        (
            Event(
                kind="LevelChanged",
                member_id=change.member_id,
                facts={"from": change.from_code, "to": change.to_code, "reason": "QUALIFIED"},
            )
            for _, change in lifted
        ),
        now=now,
    )
