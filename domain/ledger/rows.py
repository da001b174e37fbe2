"""The ledger's tables, and how the values of a book stand in them as rows."""

from __future__ import annotations

from uuid import UUID

from domain.ledger.book import Book
from domain.ledger.entries import Entry, Hold, Lot
from domain.storage import Table

ACCOUNTS = Table(
    "points_account",
    member_id="uuid",
    available="bigint",
    pending="bigint",
    held="bigint",
    debt="bigint",
    version="bigint",
    lots="bigint",
    head_hash="bytea",
    next_change_at="timestamptz",
    recorded_at="timestamptz",
    frozen_at="timestamptz",
)
ENTRIES = Table(
    "points_entry",
    member_id="uuid",
    seq="bigint",
    kind="text",
    amount="bigint",
    available_change="bigint",
    pending_change="bigint",
    held_change="bigint",
    debt_change="bigint",
    balance_after="bigint",
    effective_at="timestamptz",
    recorded_at="timestamptz",
    source_kind="text",
    reverses="bigint",
    text_commitment="bytea",
    content_hash="bytea",
    hash="bytea",
)
TEXTS = Table(
    "points_entry_text",
    member_id="uuid",
    seq="bigint",
    reason="text",
    note="text",
    reference="text",
    salt="bytea",
)
LOTS = Table(
    "points_lot",
    member_id="uuid",
    lot_seq="bigint",
    entry_seq="bigint",
    earned="bigint",
    remaining="bigint",
    pinned="bigint",
    pending="boolean",
    earned_at="timestamptz",
    matures_at="timestamptz",
    expires_at="timestamptz",
    parent_lot="bigint",
)
HOLDS = Table(
    "points_hold",
    member_id="uuid",
    hold_id="uuid",
    owner="text",
    entry_seq="bigint",
    reference="text",
    amount="bigint",
    state="text",
    captured="bigint",
    expires_at="timestamptz",
)
PINS = Table("points_pin", member_id="uuid", hold_id="uuid", lot_seq="bigint", amount="bigint")
REVERSALS = Table(
    "points_reversal", member_id="uuid", reverses="bigint", cause="text", seq="bigint"
)
REVERSED = Table(
    "points_reversed", member_id="uuid", entry_seq="bigint", amount="bigint", reversed="bigint"
)
DRAWS = Table(
    "points_draw", member_id="uuid", entry_seq="bigint", lot_seq="bigint", amount="bigint"
)


def account_row(book: Book) -> dict[str, object]:
    """What an account says of itself; all but whether it is frozen, which no posting decides."""
    return {
        "member_id": book.member_id,
        "available": book.available,
        "pending": book.pending,
        "held": book.held,
        "debt": book.debt,
        "version": book.version,
        "lots": book.lot_count,
        "head_hash": book.head_hash,
        "next_change_at": book.next_change_at,
        "recorded_at": book.recorded_at,
    }


def entry_row(entry: Entry) -> dict[str, object]:
    """An entry without its texts."""
    return {
        "member_id": entry.member_id,
        "seq": entry.seq,
        "kind": entry.kind.value,
        "amount": entry.amount,
        "available_change": entry.changes.available,
        "pending_change": entry.changes.pending,
        "held_change": entry.changes.held,
        "debt_change": entry.changes.debt,
        "balance_after": entry.balance_after,
        "effective_at": entry.effective_at,
        "recorded_at": entry.recorded_at,
        "source_kind": entry.source_kind,
        "reverses": entry.reverses,
        "text_commitment": entry.text_commitment,
        "content_hash": entry.content_hash,
        "hash": entry.hash,
    }


def text_row(entry: Entry) -> dict[str, object]:
    """The texts of an entry, with their salt."""
    return {
        "member_id": entry.member_id,
        "seq": entry.seq,
        "reason": entry.texts.reason,
        "note": entry.texts.note,
        "reference": entry.texts.reference,
        "salt": entry.salt,
    }


def lot_row(book: Book, lot: Lot) -> dict[str, object]:
    """A lot of the member."""
    return {
        "member_id": book.member_id,
        "lot_seq": lot.lot_seq,
        "entry_seq": lot.entry_seq,
        "earned": lot.earned,
        "remaining": lot.remaining,
        "pinned": lot.pinned,
        "pending": lot.pending,
        "earned_at": lot.earned_at,
        "matures_at": lot.matures_at,
        "expires_at": lot.expires_at,
        "parent_lot": lot.parent_lot,
    }


def hold_row(member_id: UUID, hold: Hold) -> dict[str, object]:
    """A hold of the member, without its pins."""
    return {
        "member_id": member_id,
        "hold_id": hold.hold_id,
        "owner": hold.owner,
        "entry_seq": hold.entry_seq,
        "reference": hold.reference,
        "amount": hold.amount,
        "state": hold.state.value,
        "captured": hold.captured,
        "expires_at": hold.expires_at,
    }
