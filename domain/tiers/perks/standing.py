"""Where a member stands with the perks of a level: SQL that counts uses, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.storage import Row
from domain.tiers.perks.quotas import Period, allowance, span


@dataclass(frozen=True, slots=True, kw_only=True)
class PerkStanding:
    """A perk of the member's level; `remaining` of `quota` until `resets_at`, or None.

    `resets_at` is also None for a quota per birthday while the member has told no birthday: then
    nothing remains.
    """

    id: UUID
    code: str
    kind: str
    value: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    quota: int | None
    period: str | None
    remaining: int | None
    resets_at: datetime | None


PERK_COLUMNS: Final = (
    "p.id AS perk_id, p.code AS perk_code, p.kind, p.value, p.title_zh, p.title_en,"
    " p.description_zh, p.description_en, p.quota, p.period"
)
"""What tells a perk in a statement in which the table `perk` is called p."""


def used_columns(first: int) -> str:
    """Columns that count the uses of perk p by the member $1: now, and in the next period too.

    They read `counted_from` as the parameters from number `first` on.
    """
    day, month, year, birthday, previous = (f"${first + place}::date" for place in range(5))
    return f"""
        (SELECT COUNT(*) FROM perk_use AS u
         WHERE u.member_id = $1 AND u.perk_code = p.code AND u.cancelled_at IS NULL
           AND (u.used_on >= CASE p.period WHEN 'DAY' THEN {day} WHEN 'MONTH' THEN {month}
                             WHEN 'YEAR' THEN {year} WHEN 'BIRTHDAY' THEN {birthday} END
                OR p.period = 'BIRTHDAY' AND u.period = 'BIRTHDAY' AND u.began_on > {previous})
        ) AS perk_used,
        (SELECT COUNT(*) FROM perk_use AS u
         WHERE u.member_id = $1 AND u.perk_code = p.code AND u.cancelled_at IS NULL
           AND p.period = 'BIRTHDAY' AND u.period = 'BIRTHDAY' AND u.began_on > {birthday}
        ) AS perk_used_later
    """


def counted_from(*, today: date, birthday: date | None) -> tuple[date, ...]:
    """Since which days uses count: of a day, a month, a year, a birthday, and the one before it.

    Without a birthday none does.
    """
    spans = [span(period, today=today, birthday=birthday) for period in Period]
    began = [date.max if one is None else one.began_on for one in spans]
    last = spans[-1]
    return (*began, date.max if last is None else last.previous)


def perk_standing(row: Row, *, today: date, birthday: date | None, zone: ZoneInfo) -> PerkStanding:
    """The perk in a row that has PERK_COLUMNS and the columns of `used_columns`."""
    remaining, resets_at = None, None
    if row["quota"] is not None:
        left = allowance(
            row["quota"],
            span=span(Period(row["period"]), today=today, birthday=birthday),
            used=row["perk_used"],
            used_later=row["perk_used_later"],
            zone=zone,
        )
        remaining, resets_at = left.remaining, left.resets_at
    return perk_of(row, remaining=remaining, resets_at=resets_at)


def perk_of(row: Row, *, remaining: int | None, resets_at: datetime | None) -> PerkStanding:
    """The perk in a row that has PERK_COLUMNS."""
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
        period=row["period"],
        remaining=remaining,
        resets_at=resets_at,
    )
