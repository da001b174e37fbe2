"""Loading what is due of locked accounts, and no more than a bounded number of lots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from domain.ledger.book import EXPIRES, MATURES, Book, Due
from domain.ledger.expiry import NEVER
from domain.ledger.loading import COLUMNS_OF_LOT, HOLD_COLUMNS, LOT_COLUMNS, hold_of, lot_of
from domain.storage import Row, dialect, fetch_all, moment_of

# A lot that matures and then expires is due as the former. Nothing is due before the account's next
# change: what is over is not looked at again, though the index may still hold it.
_FIRST_DUE: Final = f"""
    SELECT * FROM (
        SELECT {LOT_COLUMNS}, expires_at AS due_at, {EXPIRES} AS what FROM points_lot
        WHERE member_id = {{member}} AND remaining > pinned AND expires_at <= {{now}}
          AND expires_at >= {{since}} AND NOT (pending AND matures_at <= expires_at)
        ORDER BY expires_at, lot_seq LIMIT {{limit}}
    ) AS expiring
    UNION ALL
    SELECT * FROM (
        SELECT {LOT_COLUMNS}, matures_at AS due_at, {MATURES} AS what FROM points_lot
        WHERE member_id = {{member}} AND pending AND remaining > pinned AND matures_at <= {{now}}
          AND matures_at >= {{since}} AND matures_at <= expires_at
        ORDER BY matures_at, lot_seq LIMIT {{limit}}
    ) AS maturing
    ORDER BY due_at, what, lot_seq LIMIT {{limit}}
"""

# A subquery with a limit runs once for each account, one after the other: the rows of an account
# come together and in order, and none is read beyond the last that is wanted.
_OF_ALL_ON_POSTGRES = f"""
    SELECT a.member_id, l.* FROM unnest($1::uuid[], $4::timestamptz[]) AS a (member_id, since)
    CROSS JOIN LATERAL (
        {_FIRST_DUE.format(member="a.member_id", since="a.since", now="$2", limit="$3")}
    ) AS l
    LIMIT $3
"""
_OF_ONE = _FIRST_DUE.format(member="$1", since="$4", now="$2", limit="$3")

_RAN_OUT = f"""
    SELECT h.member_id, {HOLD_COLUMNS}, p.amount AS pin, {COLUMNS_OF_LOT}
    FROM points_hold AS h
    JOIN points_pin AS p ON p.member_id = h.member_id AND p.hold_id = h.hold_id
    JOIN points_lot AS l ON l.member_id = p.member_id AND l.lot_seq = p.lot_seq
    WHERE h.member_id = ANY($1::uuid[]) AND h.state = 'OPEN' AND h.expires_at <= $2
"""

_NOT_YET_DUE = """
    SELECT a.member_id,
        (SELECT l.expires_at FROM points_lot AS l
         WHERE l.member_id = a.member_id AND l.remaining > l.pinned AND l.expires_at > $2
           AND NOT (l.pending AND l.matures_at <= $2)
         ORDER BY l.expires_at LIMIT 1) AS expires_at,
        (SELECT l.matures_at FROM points_lot AS l
         WHERE l.member_id = a.member_id AND l.pending AND l.remaining > l.pinned
           AND l.matures_at > $2
         ORDER BY l.matures_at LIMIT 1) AS matures_at,
        (SELECT h.expires_at FROM points_hold AS h
         WHERE h.member_id = a.member_id AND h.state = 'OPEN' AND h.expires_at > $2
         ORDER BY h.expires_at LIMIT 1) AS ends_at
    FROM points_account AS a WHERE a.member_id = ANY($1::uuid[])
"""


async def load_due(
    books: Sequence[Book], *, now: datetime, lots_max: int
) -> list[tuple[Book, Due | None]]:
    """Load what is due as of `now`, `lots_max` lots together: the books that can be settled.

    Each comes with the last change that may be written, where not all that is due was loaded; None
    where it was. The books that `lots_max` left nothing for are not among them. At most three
    statements on PostgreSQL.
    """
    rows = await _first_due(books, now=now, limit=lots_max)
    by_member = {book.member_id: book for book in books}
    last: tuple[Book, Due] | None = None
    for row in rows:
        book = by_member[row["member_id"]]
        book.lots[row["lot_seq"]] = lot_of(row)
        last = book, (row["due_at"], row["what"], row["lot_seq"])
    cut = last if len(rows) == lots_max else None
    # Of those without a row nobody knows, once the limit was reached, whether they have any.
    loaded = [book for book in books if book.lots] if cut else list(books)
    await _load_ran_out([book for book in loaded if book.held > 0], now=now)
    await _plan_beyond(loaded, now=now)
    settled: list[tuple[Book, Due | None]] = []
    for book in loaded:
        book.lots_complete = True
        through = cut[1] if cut and cut[0] is book else None
        if through is not None:
            book.beyond = min(book.beyond, through[0])
        settled.append((book, through))
    return settled


async def _first_due(
    books: Sequence[Book], *, now: datetime, limit: int
) -> list[dict[str, Any] | Row]:
    if dialect() == "postgres":
        member_ids = [book.member_id for book in books]
        since = [book.next_change_at for book in books]
        return list(await fetch_all(_OF_ALL_ON_POSTGRES, member_ids, now, limit, since))
    rows: list[dict[str, Any] | Row] = []
    for book in books:
        found = await fetch_all(
            _OF_ONE, book.member_id, now, limit - len(rows), book.next_change_at
        )
        rows += [
            {**row, "member_id": book.member_id, "due_at": moment_of(row["due_at"])}
            for row in found
        ]
        if len(rows) == limit:
            break
    return rows


async def _load_ran_out(books: Sequence[Book], *, now: datetime) -> None:
    """Load the holds that ran out, and the lots that they give back."""
    by_member = {book.member_id: book for book in books}
    for row in await fetch_all(_RAN_OUT, list(by_member), now) if books else ():
        book = by_member[row["member_id"]]
        lot = book.lots.setdefault(row["lot_seq"], lot_of(row))
        hold = book.holds.setdefault(row["hold_id"], hold_of(row))
        hold.pins[lot.lot_seq] = row["pin"]


async def _plan_beyond(books: Sequence[Book], *, now: datetime) -> None:
    """Tell each book when that changes its balance which is not due yet, and was not loaded."""
    by_member = {book.member_id: book for book in books}
    for row in await fetch_all(_NOT_YET_DUE, list(by_member), now) if books else ():
        moments = (row["expires_at"], row["matures_at"], row["ends_at"])
        known = (moment_of(moment) for moment in moments if moment is not None)
        by_member[row["member_id"]].beyond = min(known, default=NEVER)
