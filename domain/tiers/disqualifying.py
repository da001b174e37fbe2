"""Taking off what counts no more, because it was refunded, and what that does to levels.

A level rests on what it was reached by: a refund of that may lower or end it at once, never below
the level that stands without it. What happened is decided purely, so that a preview and the refund
itself cannot differ.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.storage import fetch_all
from domain.tiers.careers import Because
from domain.tiers.criteria import Total
from domain.tiers.holdings import (
    Stored,
    day_row,
    load_careers,
    load_days,
    total_of,
    write_careers,
)
from domain.tiers.ladder import Ladder
from domain.tiers.level_rules import read_ladder
from domain.tiers.qualifying import (
    LevelChanged,
    Qualifying,
    changes_of,
    days_given_up,
    days_of,
)
from domain.tiers.tables import QUALIFYING_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelsForeseen:
    """The codes of a member's level as time leaves it now, and as what is taken off leaves it."""

    before: str
    after: str


async def disqualify(
    items: Sequence[Qualifying], *, zone: ZoneInfo, now: datetime
) -> list[LevelChanged]:
    """Take the items off the local days on which they counted, and lower whom that lowers.

    A day is never below nothing. In the caller's transaction, under the locks of the accounts; a
    fixed number of statements whatever the number of items. Returns the changes, those that were
    due before included.
    """
    days = days_of(items, zone=zone)
    if not days:
        return []
    ladder = await read_ladder()
    whose = {member_id for member_id, _ in days}
    careers = await _settled(whose, ladder=ladder, zone=zone, now=now) if ladder else {}
    await _write_off(days | await days_given_up(items, zone=zone))
    _take_off(careers.values(), days, now=now)
    sources = {item.member_id: item.source_kind for item in items}
    await write_careers(careers.values(), sources=sources, now=now)
    return changes_of(careers.values())


async def preview_disqualify(
    member_id: UUID, items: Sequence[Qualifying], *, zone: ZoneInfo, now: datetime
) -> LevelsForeseen:
    """What `disqualify` of these items would do to the member's level, and to it alone.

    What time has taken by now is gone before. Nothing is locked or written. Both codes are empty
    while no levels are defined.
    """
    ladder = await read_ladder()
    if ladder is None:
        return LevelsForeseen(before="", after="")
    days = days_of([item for item in items if item.member_id == member_id], zone=zone)
    careers = await _settled([member_id], ladder=ladder, zone=zone, now=now)
    career = careers[member_id].career
    before = career.code
    _take_off(careers.values(), days, now=now)
    return LevelsForeseen(before=before, after=career.code)


async def _settled(
    member_ids: Collection[UUID], *, ladder: Ladder, zone: ZoneInfo, now: datetime
) -> dict[UUID, Stored]:
    """The careers with the days that count, as time leaves them now. Two statements."""
    careers = await load_careers(member_ids, ladder=ladder, zone=zone)
    await load_days(careers.values(), now=now)
    for stored in careers.values():
        stored.career.settle(now=now)
    return careers


def _take_off(
    careers: Collection[Stored], days: Mapping[tuple[UUID, date], Total], *, now: datetime
) -> None:
    for stored in careers:
        own = {
            day: total for (whose, day), total in days.items() if whose == stored.career.member_id
        }
        stored.career.take_off(own, now=now, because=Because.REFUNDED)


async def _write_off(days: Mapping[tuple[UUID, date], Total]) -> None:
    """Take it off the days that are there; nothing is taken off others."""
    members = sorted({member_id for member_id, _ in days})
    rows = await fetch_all(
        "SELECT member_id, day, points, amount_fen, purchases FROM qualifying_day"
        " WHERE member_id = ANY($1::uuid[]) AND day >= $2 AND day <= $3",
        *(members, min(day for _, day in days), max(day for _, day in days)),
    )
    left = {
        key: total_of(row).less(days[key])
        for row in rows
        if (key := (row["member_id"], row["day"])) in days
    }
    await QUALIFYING_DAYS.update(map(day_row, left.items()), key=("member_id", "day"))
