"""Where a member stands: level, progress and perks, in one statement."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from domain.ledger import POINTS_MAX, add_months
from domain.storage import Row, fetch_all
from domain.tiers.criteria import AMOUNT_FEN_MAX, PURCHASES_MAX, Total
from domain.tiers.ladder import LevelDefinition, Progress, progress
from domain.tiers.level_rules import LEVEL_COLUMNS, levels_of
from domain.tiers.perks.standing import (
    PERK_COLUMNS,
    PerkStanding,
    counted_from,
    perk_standing,
    used_columns,
)
from domain.tiers.windows import MONTHS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A member's level. The base level has no `since` of its own and no `keep_until`."""

    level: LevelDefinition
    since: datetime | None
    keep_until: datetime | None
    progress: Progress
    perks: tuple[PerkStanding, ...]
    changes: int


LEVELS = ", ".join(f"l.{name}" for name in LEVEL_COLUMNS.split(", "))

# $2 has, by the months of a rolling window, the day after which it begins; first the last day of
# the year before, for calendar years.
WINDOW_START = """(
    $2::json ->> CASE WHEN r.id IS NULL THEN 12 ELSE COALESCE(r.months, 0) END
)::date"""


def sums(name: str, *, after: str) -> str:
    """The columns of what counted for the member $1 after a day."""
    return ", ".join(
        f"(SELECT COALESCE(SUM(q.{one}), 0) FROM qualifying_day AS q"
        f" WHERE q.member_id = $1 AND q.day > {after}) AS {name}_{one}"
        for one in ("points", "amount_fen", "purchases")
    )


# What the review of the present level counts: the days after one, of the earned term that lasts
# longest. Where staff alone gave the level, it counts what would earn it today.
KEEP_AFTER = f"COALESCE(e.keep_after_day, {WINDOW_START})"
_EARNED = """(
    SELECT t.id FROM level_term AS t
    WHERE t.member_id = $1 AND t.level_code = m.level_code AND t.kind <> 'GRANTED'
    ORDER BY t.keep_until DESC, t.id LIMIT 1
)"""

_STANDING = f"""
    SELECT {LEVELS}, r.months,
           {PERK_COLUMNS}, {used_columns(3)},
           m.level_code, m.since, m.keep_until, m.changes,
           {sums("window", after=WINDOW_START)}, {sums("keep", after=KEEP_AFTER)}
    FROM level AS l
    LEFT JOIN level_rules AS r ON r.id = 1
    LEFT JOIN member_level AS m ON m.member_id = $1
    LEFT JOIN level_term AS e ON e.member_id = $1 AND e.id = {_EARNED}
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
    rows = await fetch_all(_STANDING, member_id, window_starts(today), *since)
    if not rows:
        return None
    levels = levels_of(rows)
    state = rows[0]
    current = next((lv for lv in levels if lv.code == state["level_code"]), levels[0])
    return Standing(
        level=current,
        since=state["since"] if current.rank else None,
        keep_until=state["keep_until"] if current.rank else None,
        progress=progress(
            current,
            levels=levels,
            window=_total(state, "window"),
            keep=_total(state, "keep"),
        ),
        perks=tuple(
            perk_standing(row, today=today, birthday=birthday, zone=zone)
            for row in rows
            if row["perk_id"] is not None
        ),
        changes=state["changes"] or 0,
    )


def window_starts(today: date) -> str:
    """The days after which windows begin, as JSON: of calendar years, then by rolling months."""
    first = [date(today.year - 1, 12, 31)]
    rolling = [add_months(today, -months) for months in range(1, MONTHS_MAX + 1)]
    return orjson.dumps([*first, *rolling]).decode()


def _total(row: Row, name: str) -> Total:
    return Total(
        points=min(int(row[f"{name}_points"]), POINTS_MAX),
        amount_fen=min(int(row[f"{name}_amount_fen"]), AMOUNT_FEN_MAX),
        purchases=min(int(row[f"{name}_purchases"]), PURCHASES_MAX),
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
