"""What the ledger stored of some members, and what the model says should stand there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

from domain.storage import fetch_all
from tests.properties.model import FREE, WAITING, Member

Rows: TypeAlias = list[tuple[Any, ...]]


@dataclass(slots=True)
class Stored:
    """The rows of one member, except those entries that were read before."""

    account: Rows = field(default_factory=list)
    entries: Rows = field(default_factory=list)
    lots: Rows = field(default_factory=list)
    holds: Rows = field(default_factory=list)
    pins: Rows = field(default_factory=list)


_TABLES = {
    "account": "SELECT member_id, available, pending, held, debt, version, lots"
    " FROM points_account WHERE member_id = ANY($1::uuid[])",
    # What is left of a lot tells whether it still waits; of an empty one nobody asks.
    "lots": "SELECT member_id, lot_seq, entry_seq, earned, remaining, pinned,"
    " (pending AND remaining > 0) AS waits, matures_at, expires_at, parent_lot"
    " FROM points_lot WHERE member_id = ANY($1::uuid[]) ORDER BY lot_seq",
    "holds": "SELECT member_id, hold_id, amount, state, captured, expires_at"
    " FROM points_hold WHERE member_id = ANY($1::uuid[]) ORDER BY hold_id",
    "pins": "SELECT p.member_id, p.hold_id, p.lot_seq, p.amount"
    " FROM points_pin AS p JOIN points_hold AS h"
    " ON h.member_id = p.member_id AND h.hold_id = p.hold_id"
    " WHERE p.member_id = ANY($1::uuid[]) AND h.state = 'OPEN' ORDER BY p.hold_id, p.lot_seq",
}
_ENTRIES = """
    SELECT member_id, seq, kind, amount, balance_after, effective_at,
           available_change, pending_change, held_change, debt_change
    FROM points_entry WHERE member_id = ANY($1::uuid[]) AND seq > $2 ORDER BY seq
"""


async def stored(members: Mapping[UUID, int]) -> dict[UUID, Stored]:
    """The rows of the members, each with the number of its entries that need not be read again."""
    found = {member: Stored() for member in members}
    for name, statement in _TABLES.items():
        for row in await fetch_all(statement, list(members)):
            values = list(dict(row).values())
            getattr(found[values[0]], name).append(tuple(values[1:]))
    for row in await fetch_all(_ENTRIES, list(members), min(members.values(), default=0)):
        if row["seq"] > members[row["member_id"]]:
            found[row["member_id"]].entries.append(tuple(dict(row).values())[1:])
    return found


def expected(member: Member, *, known: int) -> Stored:
    """The rows that the model would write; of the entries those after the first `known`."""
    left: Counter[int] = Counter()
    held: Counter[int] = Counter()
    for (number, place), points in member.places.items():
        left[number] += points
        held[number] += 0 if place in (FREE, WAITING) else points
    return Stored(
        account=[(*member.balances, len(member.journal), len(member.lots))],
        entries=[
            (number, line.kind, line.amount, line.after, line.when, *line.moved)
            for number, line in enumerate(member.journal[known:], known + 1)
        ],
        lots=[
            (
                number,
                lot.entry,
                lot.size,
                left[number],
                held[number],
                (number, WAITING) in member.places,
                lot.opens,
                lot.closes,
                lot.parent,
            )
            for number, lot in enumerate(member.lots, 1)
        ],
        holds=[
            (name, hold.points, hold.state, hold.captured, hold.closes)
            for name, hold in sorted(member.holds.items())
        ],
        pins=[
            (place, number, points)
            for (number, place), points in sorted(
                (item for item in member.places.items() if item[0][1] not in (FREE, WAITING)),
                key=lambda item: (str(item[0][1]), item[0][0]),
            )
        ],
    )
