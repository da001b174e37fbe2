"""The levels of two records that are one person's: the higher one is kept, until they are parted.

The days on which the other record qualified stay with it and are added to the keeper's: so they can
be taken off again, to the point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.ledger import POINTS_MAX
from domain.outbox import Event, announce
from domain.storage import Row, execute, fetch_all
from domain.tiers.ladder import LevelDefinition, level_reached, review_moment, window_start
from domain.tiers.standing import read_levels
from domain.tiers.tables import LEVEL_CHANGES, MEMBER_LEVELS

SOURCE_KIND: Final = "merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLevel:
    """A level as it is kept: until when, and after which day points count towards keeping it."""

    code: str
    since: datetime
    keep_until: datetime
    keep_after_day: date


async def merge_levels(
    loser_id: UUID, keeper_id: UUID, *, zone: ZoneInfo, now: datetime
) -> KeptLevel | None:
    """Give the keeper the higher level of the two, or the one that their days reach together.

    It is kept as long as the longer of the two was. Returns what the keeper's own level was, None
    for the base. In the caller's transaction, under the locks of both accounts.
    """
    await execute(_ADD_DAYS, loser_id, keeper_id)
    rows = {row["member_id"]: row for row in await fetch_all(_LEVELS, [loser_id, keeper_id])}
    own, others = _kept(rows.get(keeper_id)), _kept(rows.get(loser_id))
    levels = await read_levels()
    if levels:
        points = await _points(keeper_id, zone=zone, now=now)
        reached = _reached(points, levels=levels, zone=zone, now=now)
        best = _best([own, others], reached, levels=levels)
        changes = rows[keeper_id]["changes"] if keeper_id in rows else 0
        if best is not None and best != own:
            await _keep(
                keeper_id,
                best,
                before=own.code if own else levels[0].code,
                changes=changes,
                points=points,
                reason="MERGED",
                now=now,
            )
    return own


async def part_levels(
    loser_id: UUID, keeper_id: UUID, *, own: KeptLevel | None, zone: ZoneInfo, now: datetime
) -> None:
    """Undo `merge_levels`, which gave `own`: the keeper has that level, or what they reached since.

    The other record has its level and its days still.
    """
    await execute(_TAKE_DAYS_OFF, loser_id, keeper_id)
    await execute(
        "DELETE FROM qualifying_day WHERE member_id = $1 AND points = 0 AND purchases = 0",
        keeper_id,
    )
    rows = await fetch_all(_LEVELS, [keeper_id])
    levels = await read_levels()
    if not rows or not levels:
        return
    points = await _points(keeper_id, zone=zone, now=now)
    reached = _reached(points, levels=levels, zone=zone, now=now)
    best = _best([own], reached, levels=levels)
    # A row of the base level goes on counting the changes of the history.
    best = best or _as_of(now, levels[0].code, zone=zone)
    current = _kept(rows[0])
    assert current is not None
    if best != current:
        await _keep(
            keeper_id,
            best,
            before=current.code,
            changes=rows[0]["changes"],
            points=points,
            reason="PARTED",
            now=now,
        )


# A day holds no more than points can be; what is cut off there cannot be told apart later.
_ADD_DAYS: Final = f"""
    INSERT INTO qualifying_day (member_id, day, points, purchases)
    SELECT $2::uuid, day, points, purchases FROM qualifying_day WHERE member_id = $1
    ON CONFLICT (member_id, day) DO UPDATE SET
        points = CASE WHEN qualifying_day.points > {POINTS_MAX} - excluded.points
                      THEN {POINTS_MAX} ELSE qualifying_day.points + excluded.points END,
        purchases = qualifying_day.purchases + excluded.purchases
"""

_TAKE_DAYS_OFF: Final = """
    UPDATE qualifying_day AS own SET
        points = CASE WHEN own.points > other.points THEN own.points - other.points ELSE 0 END,
        purchases = CASE WHEN own.purchases > other.purchases
                         THEN own.purchases - other.purchases ELSE 0 END
    FROM qualifying_day AS other
    WHERE own.member_id = $2 AND other.member_id = $1 AND other.day = own.day
"""

_LEVELS: Final = """
    SELECT member_id, level_code, since, keep_until, keep_after_day, changes FROM member_level
    WHERE member_id = ANY($1::uuid[])
"""


async def _points(member_id: UUID, *, zone: ZoneInfo, now: datetime) -> int:
    """What counts for the member today."""
    [row] = await fetch_all(
        "SELECT COALESCE(SUM(points), 0) AS points FROM qualifying_day"
        " WHERE member_id = $1 AND day > $2",
        *(member_id, window_start(now.astimezone(zone).date())),
    )
    return min(int(row["points"]), POINTS_MAX)


def _reached(
    points: int, *, levels: Sequence[LevelDefinition], zone: ZoneInfo, now: datetime
) -> KeptLevel | None:
    level = level_reached(points, levels=levels)
    return None if level.rank == 0 else _as_of(now, level.code, zone=zone)


def _as_of(now: datetime, code: str, *, zone: ZoneInfo) -> KeptLevel:
    """A level as it is kept when it is reached now."""
    today = now.astimezone(zone).date()
    return KeptLevel(
        code=code, since=now, keep_until=review_moment(today, zone=zone), keep_after_day=today
    )


def _best(
    had: Sequence[KeptLevel | None], reached: KeptLevel | None, *, levels: Sequence[LevelDefinition]
) -> KeptLevel | None:
    """The highest of them, kept as long as the longest was; None for the base level.

    Of two that are one level the older counts; what is reached now only where it is above them.
    """
    ranks = {level.code: level.rank for level in levels}
    held = sorted((one for one in had if one is not None), key=lambda one: one.since)
    high = max(held, key=lambda one: ranks[one.code], default=None)
    if reached is not None and (high is None or ranks[reached.code] > ranks[high.code]):
        held.append(reached)
        high = reached
    if high is None or ranks[high.code] == 0:
        return None
    longest = max(held, key=lambda one: one.keep_until)
    return replace(high, keep_until=longest.keep_until, keep_after_day=longest.keep_after_day)


async def _keep(
    member_id: UUID,
    kept: KeptLevel,
    *,
    before: str,
    changes: int,
    points: int,
    reason: str,
    now: datetime,
) -> None:
    """Write the level, with a row of the history and an event where it is another one."""
    changed = kept.code != before
    await MEMBER_LEVELS.insert(
        [
            {
                "member_id": member_id,
                "level_code": kept.code,
                "since": kept.since,
                "keep_until": kept.keep_until,
                "keep_after_day": kept.keep_after_day,
                "changes": changes + changed,
            }
        ],
        or_update="(member_id) DO UPDATE SET level_code = excluded.level_code, "
        "since = excluded.since, keep_until = excluded.keep_until, "
        "keep_after_day = excluded.keep_after_day, changes = excluded.changes",
    )
    if not changed:
        return
    await LEVEL_CHANGES.insert(
        [
            {
                "member_id": member_id,
                "seq": changes + 1,
                "from_code": before,
                "to_code": kept.code,
                "reason": reason,
                "qualifying_points": points,
                "source_kind": SOURCE_KIND,
                "occurred_at": now,
            }
        ]
    )
    facts = {"from": before, "to": kept.code, "reason": reason}
    await announce([Event(kind="LevelChanged", member_id=member_id, facts=facts)], now=now)


def _kept(row: Row | None) -> KeptLevel | None:
    if row is None:
        return None
    return KeptLevel(
        code=row["level_code"],
        since=row["since"],
        keep_until=row["keep_until"],
        keep_after_day=row["keep_after_day"],
    )
