"""Where a member stands: level, progress and perks, in one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.ledger import POINTS_MAX
from domain.storage import Row, fetch_all
from domain.tiers.ladder import LevelDefinition, Progress, period_end, progress, window_start


@dataclass(frozen=True, slots=True, kw_only=True)
class PerkStanding:
    """A perk of the member's level; `remaining` of `quota` until `resets_at`, or None."""

    id: UUID
    code: str
    kind: str
    value: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    quota: int | None
    remaining: int | None
    resets_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A member's level. The base level has no `since` of its own and no `keep_until`."""

    level: LevelDefinition
    since: datetime | None
    keep_until: datetime | None
    progress: Progress
    perks: tuple[PerkStanding, ...]
    changes: int


_STANDING = """
    SELECT l.code, l.rank, l.name_zh, l.name_en, l.threshold,
           p.id AS perk_id, p.code AS perk_code, p.kind, p.value, p.title_zh, p.title_en,
           p.description_zh, p.description_en, p.quota, p.period,
           m.level_code, m.since, m.keep_until, m.changes,
           (SELECT COALESCE(SUM(q.points), 0)::bigint FROM qualifying_day AS q
            WHERE q.member_id = $1 AND q.day > $2) AS window_points,
           (SELECT COALESCE(SUM(q.points), 0)::bigint FROM qualifying_day AS q
            WHERE q.member_id = $1 AND q.day > m.keep_after_day) AS keep_points
    FROM level AS l
    LEFT JOIN member_level AS m ON m.member_id = $1
    LEFT JOIN perk AS p ON p.level_code = l.code AND p.level_code = m.level_code
        OR p.level_code = l.code AND m.level_code IS NULL AND l.rank = 0
    ORDER BY l.rank, p.position, p.code
"""


async def standing(member_id: UUID, *, zone: ZoneInfo, now: datetime) -> Standing | None:
    """Level, progress and perks of the member as of `now`; None while no levels are defined."""
    today = now.astimezone(zone).date()
    rows = await fetch_all(_STANDING, member_id, window_start(today))
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
            _perk(row, period_end(row["period"] or "", today=today, zone=zone))
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


def _perk(row: Row, resets_at: datetime | None) -> PerkStanding:
    return PerkStanding(
        id=row["perk_id"],
        code=row["perk_code"],
        kind=row["kind"],
        value=row["value"],
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        description_zh=row["description_zh"],
        description_en=row["description_en"],
        quota=row["quota"],
        remaining=row["quota"],
        resets_at=resets_at,
    )
