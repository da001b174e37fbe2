"""Where a member stands: level, progress and perks, in one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.ledger import POINTS_MAX
from domain.storage import Row, fetch_all
from domain.tiers.ladder import LevelDefinition, Progress, progress, window_start
from domain.tiers.perks.standing import (
    PERK_COLUMNS,
    PerkStanding,
    counted_from,
    perk_standing,
    used_columns,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A member's level. The base level has no `since` of its own and no `keep_until`."""

    level: LevelDefinition
    since: datetime | None
    keep_until: datetime | None
    progress: Progress
    perks: tuple[PerkStanding, ...]
    changes: int


_STANDING = f"""
    SELECT l.code, l.rank, l.name_zh, l.name_en, l.threshold,
           {PERK_COLUMNS}, {used_columns(3)},
           m.level_code, m.since, m.keep_until, m.changes,
           (SELECT COALESCE(SUM(q.points), 0)::bigint FROM qualifying_day AS q
            WHERE q.member_id = $1 AND q.day > $2) AS window_points,
           (SELECT COALESCE(SUM(q.points), 0)::bigint FROM qualifying_day AS q
            WHERE q.member_id = $1 AND q.day > m.keep_after_day) AS keep_points
    FROM level AS l
    LEFT JOIN member_level AS m ON m.member_id = $1
    LEFT JOIN perk AS p ON p.level_code = l.code AND p.retired_at IS NULL
        AND (p.level_code = m.level_code OR m.level_code IS NULL AND l.rank = 0)
    ORDER BY l.rank, p.position, p.code
"""


async def standing(
    member_id: UUID, *, zone: ZoneInfo, now: datetime, birthday: date | None = None
) -> Standing | None:
    """Level, progress and perks of the member as of `now`; None while no levels are defined.

    `birthday` is the member's own: quotas for birthdays go by it.
    """
    today = now.astimezone(zone).date()
    since = counted_from(today=today, birthday=birthday)
    rows = await fetch_all(_STANDING, member_id, window_start(today), *since)
    if not rows:
        return None
    levels = _levels(rows)
    state = rows[0]
    current = next((lv for lv in levels if lv.code == state["level_code"]), levels[0])
    return Standing(
        level=current,
        since=state["since"] if current.rank else None,
        keep_until=state["keep_until"] if current.rank else None,
        progress=progress(
            current,
            levels=levels,
            window_points=min(state["window_points"], POINTS_MAX),
            keep_points=state["keep_points"],
        ),
        perks=tuple(
            perk_standing(row, today=today, birthday=birthday, zone=zone)
            for row in rows
            if row["perk_id"] is not None
        ),
        changes=state["changes"] or 0,
    )


async def level_codes(member_ids: Collection[UUID]) -> dict[UUID, str]:
    """The level of each member; those above the base by their row, the others by the base."""
    rows = await fetch_all(
        "SELECT member_id, level_code FROM member_level WHERE member_id = ANY($1::uuid[]) "
        "UNION ALL SELECT NULL, code FROM level WHERE rank = 0",
        list(member_ids),
    )
    base = next((row["level_code"] for row in rows if row["member_id"] is None), "")
    above = {row["member_id"]: row["level_code"] for row in rows if row["member_id"] is not None}
    return {member_id: above.get(member_id, base) for member_id in member_ids}


async def read_levels() -> list[LevelDefinition]:
    """The levels, by rank."""
    return _levels(await fetch_all("SELECT * FROM level ORDER BY rank"))


def _levels(rows: Sequence[Row]) -> list[LevelDefinition]:
    found: dict[str, LevelDefinition] = {}
    for row in rows:
        if row["code"] not in found:
            found[row["code"]] = LevelDefinition(
                code=row["code"],
                rank=row["rank"],
                name_zh=row["name_zh"],
                name_en=row["name_en"],
                threshold=row["threshold"],
            )
    return list(found.values())
