"""Where points came from: what is left of an earning, and which earnings a spending was paid with.

For contexts that take earnings back. Whoever decides by it has locked the accounts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.ledger.commands import Place
from domain.ledger.merge_decisions import LotPlace
from domain.storage import Row, fetch_all

STEPS_MAX: Final = 1_000
"""So often may points have come back, or gone over to another record, since they were earned."""


async def left_of_earnings(places: Collection[Place]) -> Mapping[Place, int]:
    """How many points of each earning were not taken back yet; what is none is not in it."""
    rows = await _of_places(
        "SELECT e.member_id, e.seq, e.amount - COALESCE(r.reversed, 0) AS points"
        " FROM points_entry AS e"
        " LEFT JOIN points_reversed AS r ON r.member_id = e.member_id AND r.entry_seq = e.seq"
        " WHERE e.member_id = ANY($1::uuid[]) AND e.seq = ANY($2::bigint[]) AND e.kind = 'EARN'",
        places,
    )
    return {(row["member_id"], row["seq"]): row["points"] for row in rows}


async def earnings_known_as(
    member_ids: Collection[UUID], *, source_kind: str, references: Collection[str]
) -> Mapping[tuple[str, datetime], Collection[Place]]:
    """The earnings of this kind in the members' journals, by reference and effective moment.

    Reads each journal whole: for what was recorded before its entry was kept with it.
    """
    rows = await fetch_all(
        "SELECT e.member_id, e.seq, e.effective_at, t.reference FROM points_entry AS e"
        " JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq"
        " WHERE e.member_id = ANY($1::uuid[]) AND e.kind = 'EARN' AND e.source_kind = $2"
        " AND t.reference = ANY($3::text[]) ORDER BY e.member_id, e.seq",
        *(sorted(set(member_ids)), source_kind, sorted(set(references))),
    )
    found: dict[tuple[str, datetime], list[Place]] = {}
    for row in rows:
        known_as = (row["reference"], row["effective_at"])
        found.setdefault(known_as, []).append((row["member_id"], row["seq"]))
    return found


async def paid_with(spendings: Collection[Place]) -> Mapping[Place, Collection[Place]]:
    """For each spending the entries that made the points which paid it.

    Points that came back after an earlier spending, or from another record of the person's, count
    as what they were at first. Two statements, and two more for each such step.
    """
    paying: dict[Place, set[LotPlace]] = {place: set() for place in spendings}
    rows = await _of_places(
        "SELECT member_id, entry_seq AS seq, lot_seq FROM points_draw"
        " WHERE member_id = ANY($1::uuid[]) AND entry_seq = ANY($2::bigint[])",
        spendings,
    )
    for row in rows:
        paying[row["member_id"], row["seq"]].add((row["member_id"], row["lot_seq"]))
    made = await _made_by({lot for lots in paying.values() for lot in lots})
    return {place: {made[lot] for lot in lots} for place, lots in paying.items()}


async def _made_by(lots: Collection[LotPlace]) -> Mapping[LotPlace, Place]:
    """The entry that made each lot at first."""
    now_at = {lot: lot for lot in lots}
    found: dict[LotPlace, Place] = {}
    for _ in range(STEPS_MAX):
        open_lots = {at for lot, at in now_at.items() if lot not in found}
        if not open_lots:
            break
        rows = await _of_places(
            "SELECT l.member_id, l.lot_seq AS seq, l.entry_seq, l.parent_lot,"
            " o.from_member_id, o.from_lot_seq FROM points_lot AS l"
            " LEFT JOIN points_lot_origin AS o"
            " ON o.member_id = l.member_id AND o.lot_seq = l.lot_seq"
            " WHERE l.member_id = ANY($1::uuid[]) AND l.lot_seq = ANY($2::bigint[])",
            open_lots,
        )
        by_place = {(row["member_id"], row["seq"]): row for row in rows}
        for lot in now_at.keys() - found.keys():
            row = by_place[now_at[lot]]
            if row["from_member_id"] is not None:
                now_at[lot] = (row["from_member_id"], row["from_lot_seq"])
            elif row["parent_lot"] is not None:
                now_at[lot] = (row["member_id"], row["parent_lot"])
            else:
                found[lot] = (row["member_id"], row["entry_seq"])
    assert found.keys() == now_at.keys(), "a lot is made once"
    return found


async def _of_places(statement: str, places: Collection[Place]) -> list[Row]:
    """The rows of these very places, by member and `seq`; no statement for none."""
    if not places:
        return []
    rows = await fetch_all(
        statement,
        *(sorted({member_id for member_id, _ in places}), sorted({seq for _, seq in places})),
    )
    wanted = set(places)
    return [row for row in rows if (row["member_id"], row["seq"]) in wanted]
