"""The levels of two records that are one person's: all terms of both hold, until they are parted.

The other record keeps its terms, and the days on which it qualified. The keeper gets copies of the
terms, which say with which merge they came, and the days are added to the keeper's: so both can be
taken off again. What is refunded meanwhile of an order that came along, and what is added to it,
is written to the days of both (`days_given_up`): so they stay the difference.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from domain.ledger import NEVER
from domain.storage import execute
from domain.tiers.careers import Because
from domain.tiers.holdings import load_careers, load_days, write_careers
from domain.tiers.level_rules import read_ladder
from domain.tiers.qualifying import ADDING

SOURCE_KIND: Final = "merge"


async def merge_levels(
    loser_id: UUID, keeper_id: UUID, *, merge_id: UUID, zone: ZoneInfo, now: datetime
) -> None:
    """Give the keeper the terms of both, and the level that their days reach together.

    In the caller's transaction, under the locks of both accounts.
    """
    ladder = await read_ladder()
    if ladder is None:
        await execute(_ADD_DAYS, loser_id, keeper_id)
        return
    careers = await load_careers([loser_id, keeper_id], ladder=ladder, zone=zone)
    await load_days(careers.values())
    loser, keeper = careers[loser_id].career, careers[keeper_id].career
    for career in (loser, keeper):
        career.settle(now=now)
    await execute(_ADD_DAYS, loser_id, keeper_id)
    keeper.count(loser.days)
    keeper.renew(now=now)
    for term in loser.terms.values():
        copy = replace(term, id=uuid7(), came_with=merge_id)
        keeper.terms[copy.id] = copy
    keeper.look(now=now, because=Because.MERGED, came_with=merge_id)
    sources = {keeper_id: SOURCE_KIND}
    await write_careers(careers.values(), sources=sources, now=now)
    # Nothing becomes of the other record as long as it leads to the keeper.
    await execute(
        "UPDATE member_level SET next_review_at = $2 WHERE member_id = $1", loser_id, NEVER
    )


async def part_levels(
    loser_id: UUID, keeper_id: UUID, *, merge_id: UUID, zone: ZoneInfo, now: datetime
) -> None:
    """Undo `merge_levels`: the keeper has the terms that came with it no more.

    What they reached since stays as far as their own days reach it. The other record has its days,
    with what became of its orders meanwhile, and of its terms those that rest on them still.
    """
    ladder = await read_ladder()
    careers = await load_careers([loser_id, keeper_id], ladder=ladder, zone=zone) if ladder else {}
    if careers:
        await load_days(careers.values())
        for stored in careers.values():
            stored.career.settle(now=now)
    await execute(_TAKE_DAYS_OFF, loser_id, keeper_id)
    await execute(_FORGET_EMPTY_DAYS, keeper_id)
    if careers:
        await load_days(careers.values())
        for stored in careers.values():
            stored.career.part(merge_id, now=now)
        sources = dict.fromkeys(careers, SOURCE_KIND)
        await write_careers(careers.values(), sources=sources, now=now)


# A day holds no more than points can be; what is cut off there cannot be told apart later.
_ADD_DAYS: Final = f"""
    INSERT INTO qualifying_day (member_id, day, points, amount_fen, purchases)
    SELECT $2::uuid, day, points, amount_fen, purchases FROM qualifying_day WHERE member_id = $1
    ON CONFLICT (member_id, day) DO UPDATE SET {ADDING}
"""


def _less(column: str) -> str:
    return (
        f"{column} = CASE WHEN own.{column} > other.{column} "
        f"THEN own.{column} - other.{column} ELSE 0 END"
    )


_TAKE_DAYS_OFF: Final = f"""
    UPDATE qualifying_day AS own SET {_less("points")}, {_less("amount_fen")}, {_less("purchases")}
    FROM qualifying_day AS other
    WHERE own.member_id = $2 AND other.member_id = $1 AND other.day = own.day
"""
_FORGET_EMPTY_DAYS: Final = (
    "DELETE FROM qualifying_day WHERE member_id = $1"
    " AND points = 0 AND amount_fen = 0 AND purchases = 0"
)
