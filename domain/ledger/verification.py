"""Verifying accounts: the sums, the lots and the hash chain, from what is stored alone.

Each check names a rule of the contract. The ledger's own decisions are not consulted, so that a
fault in them shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.ledger import chain
from domain.ledger.entries import Changes, EntryKind, Texts
from domain.storage import Row, dialect, execute, fetch_all, inside_transaction, transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that an account breaks, and how."""

    rule: str
    member_id: UUID
    detail: str


async def verify_account(member_id: UUID) -> list[Violation]:
    """The violations of one member's account; empty when it is sound. Reads the whole history.

    It is read as of one moment, so that postings under way are no violations; inside the caller's
    transaction it sees what that transaction sees.
    """
    if inside_transaction():
        return await _verify(member_id)
    return await transaction(lambda: _verify_snapshot(member_id))


async def _verify_snapshot(member_id: UUID) -> list[Violation]:
    if dialect() == "postgres":
        await execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    return await _verify(member_id)


async def _verify(member_id: UUID) -> list[Violation]:
    accounts = await fetch_all("SELECT * FROM points_account WHERE member_id = $1", member_id)
    entries = await fetch_all(
        """
        SELECT e.*, t.reason, t.note, t.reference, t.salt
        FROM points_entry AS e
        LEFT JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq
        WHERE e.member_id = $1 ORDER BY e.seq
        """,
        member_id,
    )
    lots = await fetch_all(
        """
        SELECT l.lot_seq, l.earned, l.remaining, l.pending, COALESCE(d.drawn, 0) AS drawn
        FROM points_lot AS l
        LEFT JOIN (
            SELECT lot_seq, SUM(amount) AS drawn FROM points_draw
            WHERE member_id = $1 GROUP BY lot_seq
        ) AS d ON d.lot_seq = l.lot_seq
        WHERE l.member_id = $1 ORDER BY l.lot_seq
        """,
        member_id,
    )
    if not accounts:
        return [
            Violation(rule="account", member_id=member_id, detail="entries without an account")
            for _ in entries[:1]
        ]
    found = [
        *_check_sums(accounts[0], entries),
        *_check_lots(accounts[0], lots),
        *_check_chain(accounts[0], entries),
    ]
    return [Violation(rule=rule, member_id=member_id, detail=detail) for rule, detail in found]


def _check_sums(account: Row, entries: Sequence[Row]) -> list[tuple[str, str]]:
    found = []
    for name in ("available", "pending", "held", "debt"):
        total = sum(row[f"{name}_change"] for row in entries)
        if total != account[name]:
            found.append(("sum", f"{name} is {account[name]}, its changes sum to {total}"))
    if account["version"] != len(entries):
        found.append(("version", f"version {account['version']}, {len(entries)} entries"))
    running = 0
    for position, row in enumerate(entries, 1):
        running += row["available_change"]
        if row["seq"] != position:
            found.append(("gapless", f"entry {position} has seq {row['seq']}"))
        if row["balance_after"] != running:
            found.append(("balance_after", f"entry {row['seq']} says {row['balance_after']}"))
    return found


def _check_lots(account: Row, lots: Sequence[Row]) -> list[tuple[str, str]]:
    found = [
        ("draws", f"lot {row['lot_seq']}: earned less draws is not remaining")
        for row in lots
        if row["earned"] - row["drawn"] != row["remaining"]
    ]
    matured = sum(row["remaining"] for row in lots if not row["pending"])
    pending = sum(row["remaining"] for row in lots if row["pending"])
    if matured != account["available"] + account["held"]:
        found.append(("lots", f"matured lots hold {matured}"))
    if pending != account["pending"]:
        found.append(("pending lots", f"pending lots hold {pending}"))
    return found


def _check_chain(account: Row, entries: Sequence[Row]) -> list[tuple[str, str]]:
    found = []
    head = chain.GENESIS
    for row in entries:
        content_hash = hashlib.sha256(_canonical(row)).digest()
        head = chain.link(head, content_hash=content_hash)
        if bytes(row["content_hash"]) != content_hash or bytes(row["hash"]) != head:
            found.append(("chain", f"entry {row['seq']} does not match its hashes"))
            head = bytes(row["hash"])
        if not _texts_match(row):
            found.append(("texts", f"the texts of entry {row['seq']} were changed"))
    if bytes(account["head_hash"]) != head:
        found.append(("head", "the account's head is not the last entry's hash"))
    return found


def _canonical(row: Row) -> bytes:
    return chain.canonical_content(
        member_id=row["member_id"],
        seq=row["seq"],
        kind=EntryKind(row["kind"]),
        amount=row["amount"],
        changes=Changes(
            available=row["available_change"],
            pending=row["pending_change"],
            held=row["held_change"],
            debt=row["debt_change"],
        ),
        balance_after=row["balance_after"],
        effective_at=row["effective_at"],
        recorded_at=row["recorded_at"],
        source_kind=row["source_kind"],
        reverses=row["reverses"],
        commitment=bytes(row["text_commitment"]),
    )


def _texts_match(row: Row) -> bool:
    """Whether the texts are those that were sealed; erased ones (no salt) cannot be told."""
    if row["salt"] is None:
        return True
    texts = Texts(reason=row["reason"], note=row["note"], reference=row["reference"])
    sealed = chain.text_commitment(texts, salt=bytes(row["salt"]))
    return sealed == bytes(row["text_commitment"])
