"""What falls due by itself, reckoned without writing it: for readers, who need sums, not entries.

An account is read with sums of its lots, and settled by the code that would post what is due
(`Book.settle`). Lots that fall due alike are one lot here, so that tens of thousands of them cost
what a few do.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from domain.ledger.book import Book, Salt
from domain.ledger.entries import Entry, Hold, HoldState, Lot
from domain.storage import Row, fetch_all, moment_of


class Reckoning(Book):
    """A book whose entries are counted but not sealed: it is never written."""

    __slots__ = ()

    def sealed(self, entry: Entry, *, salt: Salt) -> Entry:
        """The entry as it is: nobody will ask for its hashes."""
        del salt
        return entry

    def reckon(self, *, until: datetime) -> None:
        """Let happen what falls due until then."""
        self.settle(now=until, salt=bytes)


# Whoever owes nothing will not owe by the passing of time. Without debt the order in which lots
# mature, expire and are freed moves no balance, so lots are summed: those that are over by $3 with
# each other, those that expire later moment by moment, and those that expire after $2 with each
# other. Debt is paid by those that mature first: then each lot is a row.
_ALIKE = """
    CASE WHEN o.expires_at <= $3 THEN 0 WHEN o.expires_at <= $2 THEN 1 ELSE 2 END,
    CASE WHEN o.expires_at > $3 AND o.expires_at <= $2 THEN o.expires_at END
"""

# The same where each moment is told by itself.
_AT_ONE_MOMENT = "o.expires_at, CASE WHEN o.pending THEN o.matures_at END"

# One statement, so that lots and holds are as the account's row says. Each part is a range of a
# partial index: what runs out, what expired, what matured and is not over, and of what is available
# and expires soon that of the first moments. (An account in debt has nothing available.)
_DUE = """
    SELECT a.member_id, a.available, a.pending, a.held, a.debt, a.version, a.next_change_at,
           a.recorded_at, d.lot_seq, d.waits, d.points, d.matures_at, d.expires_at, d.hold_id,
           d.held_points, d.ends_at
    FROM points_account AS a
    LEFT JOIN (
        SELECT p.member_id, p.lot_seq, l.pending AS waits, p.amount AS points, l.matures_at,
               l.expires_at, h.hold_id, h.amount AS held_points, h.expires_at AS ends_at
        FROM points_hold AS h
        JOIN points_pin AS p ON p.member_id = h.member_id AND p.hold_id = h.hold_id
        JOIN points_lot AS l ON l.member_id = p.member_id AND l.lot_seq = p.lot_seq
        WHERE h.member_id = $1 AND h.state = 'OPEN' AND h.expires_at <= $3
        UNION ALL
        SELECT o.member_id, MIN(o.lot_seq), o.pending, SUM(o.remaining - o.pinned)::bigint,
               MAX(o.matures_at), MAX(o.expires_at), NULL::uuid, NULL::bigint, NULL::timestamptz
        FROM (
            SELECT member_id, lot_seq, pending, remaining, pinned, matures_at, expires_at
            FROM points_lot
            WHERE member_id = $1 AND expires_at <= $3 AND remaining > pinned
            UNION ALL
            SELECT member_id, lot_seq, pending, remaining, pinned, matures_at, expires_at
            FROM points_lot
            WHERE member_id = $1 AND pending AND matures_at <= $3 AND expires_at > $3
              AND remaining > pinned
        ) AS o
        GROUP BY o.member_id, o.pending, {alike},
                 CASE WHEN (SELECT debt FROM points_account WHERE member_id = $1) > 0
                      THEN o.lot_seq END
        UNION ALL
        SELECT * FROM (
            SELECT member_id, MIN(lot_seq), FALSE, SUM(remaining - pinned)::bigint,
                   MAX(matures_at), expires_at, NULL::uuid, NULL::bigint, NULL::timestamptz
            FROM points_lot
            WHERE member_id = $1 AND expires_at > $3 AND expires_at <= $2 AND remaining > pinned
              AND NOT pending
            GROUP BY member_id, expires_at
            ORDER BY expires_at LIMIT {moments}
        ) AS soon
    ) AS d ON d.member_id = a.member_id
    WHERE a.member_id = $1
"""

MOMENTS_MAX: Final = 12
"""Of what expires soon the first moments are read."""

_SUMS = _DUE.format(alike=_ALIKE, moments=MOMENTS_MAX)
_MOMENTS = _DUE.format(alike=_AT_ONE_MOMENT, moments=MOMENTS_MAX)

_PINNED = 2**62
"""What a hold pins of a lot is a lot of its own here, with this much added to its number."""


async def reckoning(
    member_id: UUID, *, until: datetime, soon: datetime | None = None, by_moment: bool = False
) -> Reckoning | None:
    """The account with what falls due until `until`, to be reckoned; None for no account.

    With `soon` also what is available and expires by then, of the first MOMENTS_MAX moments.
    `by_moment` keeps apart what falls due at different moments, where it is not enough to know the
    sums. One statement.
    """
    rows = await fetch_all(
        _MOMENTS if by_moment else _SUMS, member_id, until if soon is None else soon, until
    )
    if not rows:
        return None
    account = rows[0]
    book = Reckoning(
        member_id=member_id,
        available=account["available"],
        pending=account["pending"],
        held=account["held"],
        debt=account["debt"],
        version=account["version"],
        next_change_at=account["next_change_at"],
        recorded_at=account["recorded_at"],
    )
    for row in rows:
        if row["hold_id"] is not None:
            _add_pinned(book, row)
        elif row["lot_seq"] is not None:
            _add_lot(book, row, number=row["lot_seq"], points=row["points"])
    return book


def _add_lot(book: Book, row: Row, *, number: int, points: int) -> Lot:
    lot = book.lots.get(number)
    if lot is None:
        matures_at, expires_at = moment_of(row["matures_at"]), moment_of(row["expires_at"])
        lot = book.lots[number] = Lot(
            lot_seq=number,
            entry_seq=0,
            earned=0,
            remaining=0,
            pinned=0,
            pending=bool(row["waits"]),
            earned_at=matures_at,
            matures_at=matures_at,
            expires_at=expires_at,
        )
    lot.earned += points
    lot.remaining += points
    return lot


def _add_pinned(book: Book, row: Row) -> None:
    lot = _add_lot(book, row, number=_PINNED + row["lot_seq"], points=row["points"])
    lot.pinned += row["points"]
    hold_id = UUID(str(row["hold_id"]))
    hold = book.holds.get(hold_id)
    if hold is None:
        hold = book.holds[hold_id] = Hold(
            hold_id=hold_id,
            owner="",
            entry_seq=0,
            amount=row["held_points"],
            state=HoldState.OPEN,
            captured=0,
            expires_at=moment_of(row["ends_at"]),
            reference="",
            pins={},
        )
    hold.pins[lot.lot_seq] = row["points"]
