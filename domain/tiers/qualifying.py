"""Counting what qualifies, and lifting members to the level that they reach, at once.

Runs inside the transaction of the posting that earned the points, after the ledger has locked the
accounts: two earnings of one member never decide at the same time. What is due of a member is
settled first, so a level is right for whoever writes, also where the nightly review is late.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.ledger import POINTS_MAX
from domain.members import given_up_with
from domain.tiers.careers import Because
from domain.tiers.criteria import AMOUNT_FEN_MAX, NOTHING, PURCHASES_MAX, Total
from domain.tiers.holdings import (
    Stored,
    day_row,
    load_careers,
    load_days,
    load_windows,
    write_careers,
)
from domain.tiers.level_rules import read_ladder
from domain.tiers.tables import QUALIFYING_DAYS
from domain.tiers.windows import reaches


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualifying:
    """What counts towards a member's level, on the local day of `occurred_at`.

    Points, how many purchases they come from, and the fen that were paid for them. `came_with` is
    the merge with which their order came: what happens to it follows it, should the two be parted.
    """

    member_id: UUID
    points: int
    purchases: int
    occurred_at: datetime
    source_kind: str
    amount_fen: int = 0
    came_with: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChanged:
    """A member moved from one level to another."""

    member_id: UUID
    from_code: str
    to_code: str
    qualifying_points: int
    occurred_at: datetime


async def qualify(
    items: Sequence[Qualifying], *, zone: ZoneInfo, now: datetime
) -> list[LevelChanged]:
    """Count the items on their local days and lift each member to the level now reached.

    A fixed number of statements whatever the number of items. Returns the changes, those that were
    due before the items counted included.
    """
    days = days_of(items, zone=zone)
    if not days:
        return []
    ladder = await read_ladder()
    given_up = await days_given_up(items, zone=zone)
    if ladder is None:
        await _count(days | given_up)
        return []
    careers = await load_careers({member_id for member_id, _ in days}, ladder=ladder, zone=zone)
    await settle(careers.values(), now=now)
    await _count(days | given_up)
    oldest = reaches(ladder.rules, today=now.astimezone(zone).date())[-1].after
    fresh = {member_id for member_id, day in days if day > oldest}
    waiting = {one.career.member_id for one in careers.values() if one.career.in_grace}
    # What is too old to count today can only renew a level that goes on in grace.
    looked_at = [careers[member_id] for member_id in sorted(fresh | waiting)]
    if waiting:
        await load_days(looked_at, now=now)
    else:
        await load_windows(looked_at, ladder=ladder, zone=zone, now=now)
    for stored in looked_at:
        stored.career.renew(now=now)
        stored.career.look(now=now, because=Because.QUALIFIED)
    sources = {item.member_id: item.source_kind for item in items}
    await write_careers(careers.values(), sources=sources, now=now)
    return changes_of(careers.values())


async def settle(careers: Collection[Stored], *, now: datetime) -> None:
    """Decide what is due of the careers, as of its own moments; one statement where any is."""
    due = [stored for stored in careers if stored.due(now)]
    await load_days(due, now=now)
    for stored in due:
        stored.career.settle(now=now)


def changes_of(careers: Collection[Stored]) -> list[LevelChanged]:
    """The moves of the careers, as they are told."""
    return [
        LevelChanged(
            member_id=stored.career.member_id,
            from_code=move.from_code,
            to_code=move.to_code,
            qualifying_points=move.points,
            occurred_at=move.at,
        )
        for stored in careers
        for move in stored.career.moves
    ]


def days_of(items: Sequence[Qualifying], *, zone: ZoneInfo) -> dict[tuple[UUID, date], Total]:
    """What the items come to on each member's local days; without those that are nothing."""
    sums: dict[tuple[UUID, date], Total] = {}
    for item in items:
        total = Total(
            points=max(item.points, 0),
            amount_fen=max(item.amount_fen, 0),
            purchases=max(item.purchases, 0),
        )
        if total == NOTHING:
            continue
        key = (item.member_id, item.occurred_at.astimezone(zone).date())
        sums[key] = sums.get(key, NOTHING).plus(total)
    return sums


async def days_given_up(
    items: Sequence[Qualifying], *, zone: ZoneInfo
) -> dict[tuple[UUID, date], Total]:
    """What the items come to on the days of the records that were given up with their orders.

    Nothing becomes of such a record as long as it leads to its member; but its days are those of
    its orders at any time, so that a parting finds each of the two with its own. One statement
    where orders came with a merge, otherwise none.
    """
    losers = await given_up_with({item.came_with for item in items if item.came_with is not None})
    theirs = [
        replace(item, member_id=losers[item.came_with])
        for item in items
        if item.came_with is not None
    ]
    return days_of(theirs, zone=zone)


def _capped(column: str, most: int) -> str:
    """A sum that stops at `most`: whoever is there has every level long since."""
    return (
        f"{column} = CASE WHEN qualifying_day.{column} > {most} - excluded.{column} THEN {most} "
        f"ELSE qualifying_day.{column} + excluded.{column} END"
    )


ADDING: Final = ", ".join(
    [
        _capped("points", POINTS_MAX),
        _capped("amount_fen", AMOUNT_FEN_MAX),
        _capped("purchases", PURCHASES_MAX),
    ]
)


async def _count(days: dict[tuple[UUID, date], Total]) -> None:
    await QUALIFYING_DAYS.insert(
        map(day_row, days.items()), or_update=f"(member_id, day) DO UPDATE SET {ADDING}"
    )
