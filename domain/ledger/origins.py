"""Which entries moved points from one account to another, and which lot a lot was there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from uuid import UUID

from domain.ledger.merge_decisions import Handing, LotPlace
from domain.storage import Table, Write, fetch_all

_MERGES = Table(
    "points_merge", member_id="uuid", out_seq="bigint", to_member_id="uuid", in_seq="bigint"
)
_ORIGINS = Table(
    "points_lot_origin",
    member_id="uuid",
    lot_seq="bigint",
    from_member_id="uuid",
    from_lot_seq="bigint",
)


def handing_writes(handings: Iterable[Handing]) -> Iterator[Write]:
    """The pairs of entries, and what their lots were at first."""
    pairs = list(handings)
    yield _MERGES.inserting(
        {
            "member_id": one.out.member_id,
            "out_seq": one.out.seq,
            "to_member_id": one.into.member_id,
            "in_seq": one.into.seq,
        }
        for one in pairs
    )
    yield _ORIGINS.inserting(
        {
            "member_id": one.into.member_id,
            "lot_seq": lot_seq,
            "from_member_id": member_id,
            "from_lot_seq": from_lot_seq,
        }
        for one in pairs
        for lot_seq, (member_id, from_lot_seq) in one.origins.items()
    )


async def origins_of(member_id: UUID, lots: Collection[int]) -> Mapping[int, LotPlace]:
    """Of these lots of a member those that came from another account, and which they were there."""
    rows = await fetch_all(
        "SELECT lot_seq, from_member_id, from_lot_seq FROM points_lot_origin"
        " WHERE member_id = $1 AND lot_seq = ANY($2::bigint[])",
        *(member_id, sorted(lots)),
    )
    return {row["lot_seq"]: (row["from_member_id"], row["from_lot_seq"]) for row in rows}


async def came_from(
    member_ids: Collection[UUID], *, by: Collection[UUID]
) -> Mapping[LotPlace, Collection[LotPlace]]:
    """The lots of `member_ids`, by what they were in the accounts of `by`."""
    rows = await fetch_all(
        "SELECT member_id, lot_seq, from_member_id, from_lot_seq FROM points_lot_origin"
        " WHERE member_id = ANY($1::uuid[]) AND from_member_id = ANY($2::uuid[])",
        *(sorted(member_ids), sorted(by)),
    )
    found: dict[LotPlace, list[LotPlace]] = {}
    for row in rows:
        place = (row["from_member_id"], row["from_lot_seq"])
        found.setdefault(place, []).append((row["member_id"], row["lot_seq"]))
    return found
