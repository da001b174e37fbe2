"""Loading what a posting decides by, after its accounts are locked: before that it could be stale.

The number of statements is fixed, whatever the size of the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Final
from uuid import UUID

from domain.ledger.book import Book, spend_order
from domain.ledger.entries import EntryKind, Hold, HoldState, Lot, Past
from domain.ledger.expiry import NEVER
from domain.storage import Row, fetch_all

LOT_COLUMNS = (
    "lot_seq, entry_seq, earned, remaining, pinned, pending, earned_at, matures_at, expires_at, "
    "parent_lot"
)
COLUMNS_OF_LOT = ", ".join(f"l.{column}" for column in LOT_COLUMNS.split(", "))
"""The same, of a lot `l` among other tables."""


def lot_of(row: Row) -> Lot:
    """A lot from its row (LOT_COLUMNS)."""
    return Lot(
        lot_seq=row["lot_seq"],
        entry_seq=row["entry_seq"],
        earned=row["earned"],
        remaining=row["remaining"],
        pinned=row["pinned"],
        pending=row["pending"],
        earned_at=row["earned_at"],
        matures_at=row["matures_at"],
        expires_at=row["expires_at"],
        parent_lot=row["parent_lot"],
    )


# Two ranges of two partial indexes; an OR of both would read every lot of the member.
_OPEN_LOTS = f"""
    SELECT member_id, {LOT_COLUMNS} FROM points_lot
    WHERE member_id = ANY($1::uuid[]) AND remaining > pinned
    UNION ALL
    SELECT member_id, {LOT_COLUMNS} FROM points_lot
    WHERE member_id = ANY($1::uuid[]) AND pinned > 0 AND remaining = pinned
"""

HOLD_COLUMNS = (
    "h.hold_id, h.owner, h.entry_seq AS held_by, h.reference, h.amount, h.state, h.captured, "
    "h.expires_at AS ends_at"
)
"""Of a hold `h`; named so that the columns of a lot may stand beside them."""


def hold_of(row: Row) -> Hold:
    """A hold from its row (HOLD_COLUMNS), without pins."""
    return Hold(
        hold_id=row["hold_id"],
        owner=row["owner"],
        entry_seq=row["held_by"],
        amount=row["amount"],
        state=HoldState(row["state"]),
        captured=row["captured"],
        expires_at=row["ends_at"],
        reference=row["reference"],
        pins={},
    )


_OPEN_HOLDS = f"""
    SELECT h.member_id, {HOLD_COLUMNS}, p.lot_seq, p.amount AS pin
    FROM points_hold AS h
    LEFT JOIN points_pin AS p
        ON p.member_id = h.member_id AND p.hold_id = h.hold_id AND h.state = 'OPEN'
    WHERE h.member_id = ANY($1::uuid[]) AND (h.state = 'OPEN' OR h.hold_id = ANY($2::uuid[]))
"""


LOTS_AT_ONCE: Final = 64
"""Of one member's lots as many are loaded first; nearly every spending is covered by them."""

FEW_BOOKS: Final = 2
"""So many are asked for their first lots one by one; a batch loads all with one statement."""

# The lots that are spent first, those that mature first, and those that a hold pins.
_FIRST_LOTS = f"""
    SELECT * FROM (
        SELECT {LOT_COLUMNS}, 'spent' AS reason FROM points_lot
        WHERE member_id = $1 AND remaining > pinned
        ORDER BY expires_at, lot_seq LIMIT $2
    ) AS spent_first
    UNION ALL
    SELECT * FROM (
        SELECT {LOT_COLUMNS}, 'matures' AS reason FROM points_lot
        WHERE member_id = $1 AND pending AND remaining > pinned
        ORDER BY matures_at, lot_seq LIMIT $2
    ) AS maturing_first
    UNION ALL
    SELECT {LOT_COLUMNS}, 'pinned' AS reason FROM points_lot
    WHERE member_id = $1 AND pinned > 0
"""


async def load_open_lots(
    books: Sequence[Book],
    *,
    needed: Mapping[UUID, int],
    hold_ids: Collection[UUID] = (),
    now: datetime,
) -> None:
    """Load the lots that have something left to spend, to expire or to unpin, and the open holds.

    `needed` says how much of each member may be spent. Of one member, or of the two sides of a
    transfer, lots are loaded only as far as they are due or needed: some have tens of thousands. Of
    the holds in `hold_ids` those that are not open any more come too, to be refused by state.
    """
    if not books:
        return
    rest = list(books)
    if len(books) <= FEW_BOOKS:
        rest = [
            book
            for book in books
            if not await _load_first_lots(book, needed=needed.get(book.member_id, 0), now=now)
        ]
    by_member = {book.member_id: book for book in rest}
    for row in await fetch_all(_OPEN_LOTS, list(by_member)) if rest else ():
        by_member[row["member_id"]].lots[row["lot_seq"]] = lot_of(row)
    await _load_holds(books, hold_ids)
    for book in books:
        book.lots_complete = True


async def _load_first_lots(book: Book, *, needed: int, now: datetime) -> bool:
    """Load the lots that come first, and tell whether they are all that matter now."""
    found: dict[str, list[Lot]] = {"spent": [], "matures": [], "pinned": []}
    for row in await fetch_all(_FIRST_LOTS, book.member_id, LOTS_AT_ONCE + 1):
        found[row["reason"]].append(lot_of(row))
    beyond = NEVER
    covered = 0
    if len(found["spent"]) > LOTS_AT_ONCE:
        beyond = found["spent"].pop().expires_at
        covered = sum(
            lot.free for lot in found["spent"] if not lot.pending and lot.expires_at > now
        )
    else:
        covered = needed
    if len(found["matures"]) > LOTS_AT_ONCE:
        beyond = min(beyond, found["matures"].pop().matures_at)
    if beyond <= now or covered < needed:
        return False
    for lot in chain(*found.values()):
        book.lots.setdefault(lot.lot_seq, lot)
    book.beyond = beyond
    return True


async def _load_holds(books: Sequence[Book], hold_ids: Collection[UUID]) -> None:
    # Few accounts hold anything: the others are spared a statement.
    holding = [book.member_id for book in books if book.held > 0 or hold_ids]
    by_member = {book.member_id: book for book in books}
    for row in await fetch_all(_OPEN_HOLDS, holding, list(hold_ids)) if holding else ():
        holds = by_member[row["member_id"]].holds
        hold = holds.setdefault(row["hold_id"], hold_of(row))
        if row["lot_seq"] is not None:
            hold.pins[row["lot_seq"]] = row["pin"]


_PAST = """
    SELECT e.member_id, e.seq, e.kind, e.amount, COALESCE(r.reversed, 0) AS reversed
    FROM points_entry AS e
    LEFT JOIN points_reversed AS r ON r.member_id = e.member_id AND r.entry_seq = e.seq
    WHERE e.member_id = ANY($1::uuid[]) AND e.seq = ANY($2::bigint[])
"""

# What the entries made, and what they drew on: two look-ups by index.
_PAST_LOTS = f"""
    SELECT l.member_id, {COLUMNS_OF_LOT}, NULL::bigint AS drawn_by, NULL::bigint AS drawn
    FROM points_lot AS l
    WHERE l.member_id = ANY($1::uuid[]) AND l.entry_seq = ANY($2::bigint[])
    UNION ALL
    SELECT l.member_id, {COLUMNS_OF_LOT}, d.entry_seq AS drawn_by, d.amount AS drawn
    FROM points_draw AS d
    JOIN points_lot AS l ON l.member_id = d.member_id AND l.lot_seq = d.lot_seq
    WHERE d.member_id = ANY($1::uuid[]) AND d.entry_seq = ANY($2::bigint[])
"""

_CAUSES = """
    SELECT member_id, reverses, cause FROM points_reversal
    WHERE member_id = ANY($1::uuid[]) AND reverses = ANY($2::bigint[])
"""


async def load_past(
    books: dict[UUID, Book], wanted: Collection[tuple[UUID, int]]
) -> dict[tuple[UUID, int], Past]:
    """The entries that commands undo, by member and number; their lots are added to the books.

    What is not in the answer does not exist. No statement without a wish, else three.
    """
    if not wanted:
        return {}
    members = sorted({member_id for member_id, _ in wanted})
    numbers = sorted({seq for _, seq in wanted})
    entries = await fetch_all(_PAST, members, numbers)
    made: dict[tuple[UUID, int], list[Lot]] = {}
    drawn: dict[tuple[UUID, int], list[tuple[Lot, int]]] = {}
    for row in await fetch_all(_PAST_LOTS, members, numbers):
        member_id = row["member_id"]
        lot = books[member_id].lots.setdefault(row["lot_seq"], lot_of(row))
        if row["drawn_by"] is None:
            made.setdefault((member_id, lot.entry_seq), []).append(lot)
        else:
            drawn.setdefault((member_id, row["drawn_by"]), []).append((lot, row["drawn"]))
    causes: dict[tuple[UUID, int], set[str]] = {}
    for row in await fetch_all(_CAUSES, members, numbers):
        causes.setdefault((row["member_id"], row["reverses"]), set()).add(row["cause"])
    return {
        place: Past(
            seq=row["seq"],
            kind=EntryKind(row["kind"]),
            amount=row["amount"],
            reversed=row["reversed"],
            lots=tuple(lot.lot_seq for lot in spend_order(made.get(place, ()))),
            drawn=_in_spend_order(drawn.get(place, [])),
            causes=frozenset(causes.get(place, ())),
        )
        for row in entries
        if (place := (row["member_id"], row["seq"])) in wanted
    }


def _in_spend_order(drawn: list[tuple[Lot, int]]) -> tuple[tuple[int, int], ...]:
    """The draws of one entry in the order in which it took them, which their dates tell."""
    drawn.sort(key=lambda one: (one[0].expires_at, one[0].lot_seq))
    return tuple((lot.lot_seq, amount) for lot, amount in drawn)
