"""Reading the ledger: balances as of now, what expires soon, pages of the journal.

Readers do not wait for a sweeper: what fell due since the last posting is computed by the same
code that would post it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.ledger.book import Book
from domain.ledger.entries import EntryKind, Source
from domain.ledger.loading import LOT_COLUMNS, lot_of
from domain.ledger.store import book_of
from domain.paging import KeyPart, Page, PageRequest, page_of
from domain.storage import Row, fetch_all

EXPIRING_SOON = timedelta(days=30)
"""How far ahead `expiring_soon` looks."""

_EXPIRING_MAX = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringPoints:
    """Available points that expire together at `expires_at`."""

    points: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A member's points as of a moment. `version` counts the entries of the journal."""

    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    version: int = 0
    expiring_soon: tuple[ExpiringPoints, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """An entry as members read it; `amount` is signed, `balance_after` the available balance."""

    member_id: UUID
    seq: int
    kind: EntryKind
    amount: int
    balance_after: int
    reason: str | None
    effective_at: datetime
    recorded_at: datetime
    source: Source

    @property
    def key(self) -> str:
        """What names the entry in the whole programme."""
        return f"{self.member_id}:{self.seq}"


# Two ranges of two partial indexes; an OR of both would read every open lot of the member.
_BALANCE = f"""
    SELECT a.*, l.lot_seq, l.entry_seq, l.earned, l.remaining, l.pinned, l.pending AS lot_pending,
           l.earned_at, l.matures_at, l.expires_at, l.parent_lot
    FROM (
        SELECT member_id, available, pending, held, debt, version, lots, head_hash, next_change_at,
               recorded_at, frozen_at
        FROM points_account WHERE member_id = $1
    ) AS a
    LEFT JOIN (
        SELECT member_id, {LOT_COLUMNS} FROM points_lot
        WHERE member_id = $1 AND expires_at <= $2 AND remaining > pinned
        UNION ALL
        SELECT member_id, {LOT_COLUMNS} FROM points_lot
        WHERE member_id = $1 AND pending AND matures_at <= $3 AND expires_at > $2
          AND remaining > pinned
    ) AS l ON l.member_id = a.member_id
"""


async def balance(member_id: UUID, *, now: datetime) -> Balance:
    """The balances as of `now`, with what expires within 30 days. One statement."""
    rows = await fetch_all(_BALANCE, member_id, now + EXPIRING_SOON, now)
    if not rows:
        return Balance()
    book = book_of(rows[0])
    version = book.version
    for row in rows:
        if row["lot_seq"] is not None:
            lot = lot_of({**row, "pending": row["lot_pending"]})
            book.lots[lot.lot_seq] = lot
    # All that is due by now is among the lots read, though others are not.
    book.lots_complete = True
    book.settle(now=now, salt=_no_salt)
    return Balance(
        available=book.available,
        pending=book.pending,
        held=book.held,
        debt=book.debt,
        version=version,
        expiring_soon=_expiring(book, until=now + EXPIRING_SOON),
    )


DUE_MOMENTS = """
    (SELECT MAX(l.expires_at) FROM points_lot AS l
     WHERE l.member_id = $1 AND l.remaining > l.pinned AND l.expires_at <= $2) AS expired_at,
    (SELECT MAX(l.expires_at) FROM points_lot AS l
     WHERE l.member_id = $1 AND l.remaining > l.pinned AND l.expires_at <= $3) AS expiring_at,
    (SELECT MAX(l.matures_at) FROM points_lot AS l
     WHERE l.member_id = $1 AND l.pending AND l.matures_at <= $2) AS matured_at
"""
"""The last moments up to which the lots of $1 matured and expired at $2, and came within
EXPIRING_SOON of it, which is $3: while no entry is written, `balance` answers the same as long as
these do. For statements of other contexts."""


def _no_salt() -> bytes:
    """Stands in where entries are decided only to be counted, never written."""
    return bytes(16)


def _expiring(book: Book, *, until: datetime) -> tuple[ExpiringPoints, ...]:
    """The first twelve moments at which available points expire, soonest first."""
    sums: dict[datetime, int] = {}
    for lot in book.lots.values():
        if not lot.pending and lot.free > 0 and lot.expires_at <= until:
            sums[lot.expires_at] = sums.get(lot.expires_at, 0) + lot.free
    return tuple(
        ExpiringPoints(points=sums[moment], expires_at=moment)
        for moment in sorted(sums)[:_EXPIRING_MAX]
    )


async def journal(member_id: UUID, page: PageRequest) -> Page[JournalEntry]:
    """A page of the journal, newest first, by the key (seq,). One index range scan."""
    before = page.after[0] if page.after else 2**62
    entries = await _entries(member_id, before=before, limit=page.limit)
    return page_of(entries, first=page.first, key=lambda one: (one.seq,))


async def _entries(member_id: UUID, *, before: KeyPart, limit: int) -> Sequence[JournalEntry]:
    rows = await fetch_all(
        """
        SELECT e.member_id, e.seq, e.kind, e.amount, e.balance_after, e.effective_at,
               e.recorded_at, e.source_kind, t.reason, t.reference
        FROM points_entry AS e
        LEFT JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq
        WHERE e.member_id = $1 AND e.seq < $2
        ORDER BY e.seq DESC
        LIMIT $3
        """,
        member_id,
        before,
        limit,
    )
    return [_journal_entry(row) for row in rows]


async def entry(member_id: UUID, *, seq: int) -> JournalEntry | None:
    """One entry of the member's journal, or None."""
    found = await _entries(member_id, before=seq + 1, limit=1)
    return found[0] if found and found[0].seq == seq else None


def _journal_entry(row: Row) -> JournalEntry:
    return JournalEntry(
        member_id=row["member_id"],
        seq=row["seq"],
        kind=EntryKind(row["kind"]),
        amount=row["amount"],
        balance_after=row["balance_after"],
        reason=row["reason"],
        effective_at=row["effective_at"],
        recorded_at=row["recorded_at"],
        source=Source(kind=row["source_kind"], reference=row["reference"] or ""),
    )
