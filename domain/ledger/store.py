"""Opening books under lock, writing what they decided: a fixed number of statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from domain.ledger import chain
from domain.ledger.book import Book, Books
from domain.ledger.expiry import NEVER
from domain.ledger.rows import (
    ACCOUNTS,
    DRAWS,
    ENTRIES,
    HOLDS,
    LOTS,
    PINS,
    REVERSALS,
    REVERSED,
    TEXTS,
    account_row,
    entry_row,
    hold_row,
    lot_row,
    text_row,
)
from domain.ledger.snapshots import ends_a_chapter, take_snapshots
from domain.storage import Row, Write, execute, fetch_all, write_together

_ACCOUNT_COLUMNS = (
    "member_id, available, pending, held, debt, version, lots, head_hash, next_change_at, "
    "recorded_at, frozen_at, merged_into"
)

_LOCK_ACCOUNTS = f"""
    SELECT {_ACCOUNT_COLUMNS} FROM points_account
    WHERE member_id = ANY($1::uuid[])
    ORDER BY member_id
    FOR NO KEY UPDATE
"""
_LOOK_AT_ACCOUNTS = f"""
    SELECT {_ACCOUNT_COLUMNS} FROM points_account WHERE member_id = ANY($1::uuid[])
"""


async def lock_accounts(member_ids: Iterable[UUID]) -> dict[UUID, Book]:
    """Lock the accounts that exist, in sorted order, until the caller's transaction ends.

    For use cases that decide by what only a posting changes, or that post more than once: whoever
    locks all its accounts first, and once, neither decides by what is stale nor deadlocks. One
    posting may go on with the books; their lots are not loaded.
    """
    return await _books(_LOCK_ACCOUNTS, member_ids)


async def look_at_accounts(member_ids: Iterable[UUID]) -> dict[UUID, Book]:
    """The accounts that exist, without a lock: for what is reckoned and not written."""
    return await _books(_LOOK_AT_ACCOUNTS, member_ids)


async def _books(statement: str, member_ids: Iterable[UUID]) -> dict[UUID, Book]:
    rows = await fetch_all(statement, sorted(set(member_ids)))
    books = {row["member_id"]: book_of(row) for row in rows}
    await _believe_the_journal([book for book in books.values() if book.frozen])
    return books


async def open_books(
    member_ids: Iterable[UUID], *, now: datetime, locked: Books | None = None
) -> dict[UUID, Book]:
    """Lock the accounts, in sorted order, making those that are missing; no lots are loaded.

    `locked` is what `lock_accounts` gave for them in this transaction: others do not exist.
    """
    wanted = set(member_ids)
    known = await lock_accounts(wanted) if locked is None else locked
    books = {member_id: known[member_id] for member_id in wanted & known.keys()}
    if missing := wanted - books.keys():
        await _make_accounts(missing, now=now)
        books |= await lock_accounts(missing)
    return books


_AS_THE_JOURNAL_SAYS = """
    SELECT s.member_id, s.seq, s.available, s.pending, s.held, s.debt, e.hash
    FROM (
        SELECT member_id, MAX(seq) AS seq,
               SUM(available_change)::bigint AS available, SUM(pending_change)::bigint AS pending,
               SUM(held_change)::bigint AS held, SUM(debt_change)::bigint AS debt
        FROM points_entry WHERE member_id = ANY($1::uuid[]) GROUP BY member_id
    ) AS s
    JOIN points_entry AS e ON e.member_id = s.member_id AND e.seq = s.seq
"""


async def _believe_the_journal(books: Sequence[Book]) -> None:
    """Take the balances of frozen accounts from their entries, which cannot be changed.

    Their rows may be what is wrong. An entry that went on from there would be wrong for ever.
    """
    by_member = {book.member_id: book for book in books}
    for row in await fetch_all(_AS_THE_JOURNAL_SAYS, list(by_member)) if books else ():
        book = by_member[row["member_id"]]
        book.available, book.pending = row["available"], row["pending"]
        book.held, book.debt = row["held"], row["debt"]
        book.version, book.head_hash = row["seq"], bytes(row["hash"])


# Those that wait longest come first. What another worker has locked is in good hands.
_LOCK_DUE_ACCOUNTS = f"""
    SELECT {_ACCOUNT_COLUMNS} FROM points_account
    WHERE next_change_at <= $1 AND next_change_at >= $3
      AND next_change_at < '9999-12-31 00:00:00.000000+00:00'
      AND frozen_at IS NULL AND NOT (member_id = ANY($4::uuid[]))
    ORDER BY next_change_at
    LIMIT $2
    FOR NO KEY UPDATE SKIP LOCKED
"""


async def lock_due_books(
    *, since: datetime, now: datetime, limit: int, but: Collection[UUID]
) -> list[Book]:
    """Lock accounts whose balance changed by itself from `since` to `now`; no lots are loaded.

    Waits for nobody: accounts that are locked are passed over, and so are frozen ones and `but`.
    """
    rows = await fetch_all(_LOCK_DUE_ACCOUNTS, now, limit, since, list(but))
    return [book_of(row) for row in rows]


async def _make_accounts(member_ids: set[UUID], *, now: datetime) -> None:
    await ACCOUNTS.insert(
        (
            {
                "member_id": member_id,
                **dict.fromkeys(("available", "pending", "held", "debt", "version", "lots"), 0),
                "head_hash": chain.GENESIS,
                "next_change_at": NEVER,
                "recorded_at": now,
            }
            for member_id in sorted(member_ids)
        ),
        or_ignore=True,
    )


def book_of(row: Row) -> Book:
    """A book from an account's row (_ACCOUNT_COLUMNS), without lots."""
    return Book(
        member_id=row["member_id"],
        available=row["available"],
        pending=row["pending"],
        held=row["held"],
        debt=row["debt"],
        version=row["version"],
        lot_count=row["lots"],
        head_hash=bytes(row["head_hash"]),
        next_change_at=row["next_change_at"],
        recorded_at=row["recorded_at"],
        frozen=row["frozen_at"] is not None,
        merged_into=row["merged_into"],
        lots_complete=row["lots"] == 0,
    )


async def write_books(books: Sequence[Book], *, beside: Iterable[Write] = ()) -> None:
    """Write all that the books decided, and what is to be written `beside` it."""
    entries = [entry for book in books for entry in book.entries]
    await write_together(
        [
            ENTRIES.inserting(entry_row(entry) for entry in entries),
            TEXTS.inserting(text_row(entry) for entry in entries),
            *_lot_writes(books),
            *_hold_writes(books),
            *_reversal_writes(books),
            *beside,
            ACCOUNTS.updating([account_row(book) for book in books], key=("member_id",)),
        ]
    )
    await take_snapshots(
        [
            book.member_id
            for book in books
            if ends_a_chapter(book.version, entries=len(book.entries))
        ]
    )


def _lot_writes(books: Sequence[Book]) -> Iterator[Write]:
    """Lots that are new, what is left of others, and what was drawn from them."""
    yield LOTS.inserting(lot_row(book, lot) for book in books for lot in book.made_lots)
    yield LOTS.updating(
        [
            {
                "member_id": book.member_id,
                "lot_seq": lot_seq,
                "remaining": book.lots[lot_seq].remaining,
                "pinned": book.lots[lot_seq].pinned,
                "pending": book.lots[lot_seq].pending,
            }
            for book in books
            for lot_seq in sorted(book.touched_lots - {lot.lot_seq for lot in book.made_lots})
        ],
        key=("member_id", "lot_seq"),
    )
    yield DRAWS.inserting(
        {
            "member_id": book.member_id,
            "entry_seq": draw.entry_seq,
            "lot_seq": draw.lot_seq,
            "amount": draw.amount,
        }
        for book in books
        for draw in book.draws
    )


def _hold_writes(books: Sequence[Book]) -> Iterator[Write]:
    """Holds that are new, and what became of others. Nothing where no hold was touched."""
    made = [(book.member_id, hold) for book in books for hold in book.made_holds]
    fresh = {hold.hold_id for _, hold in made}
    yield HOLDS.inserting(hold_row(member_id, hold) for member_id, hold in made)
    yield PINS.inserting(
        {"member_id": member_id, "hold_id": hold.hold_id, "lot_seq": lot_seq, "amount": amount}
        for member_id, hold in made
        for lot_seq, amount in sorted(hold.pins.items())
    )
    yield HOLDS.updating(
        [
            {
                "member_id": book.member_id,
                "hold_id": hold_id,
                "state": book.holds[hold_id].state.value,
                "captured": book.holds[hold_id].captured,
            }
            for book in books
            for hold_id in sorted(book.touched_holds - fresh)
        ],
        key=("member_id", "hold_id"),
    )


def _reversal_writes(books: Sequence[Book]) -> Iterator[Write]:
    """What was undone of which entry. The sums are guarded by a CHECK of their own."""
    undone = [(book.member_id, one) for book in books for one in book.undone]
    yield REVERSALS.inserting(
        {"member_id": member_id, "reverses": one.entry_seq, "cause": one.cause, "seq": one.seq}
        for member_id, one in undone
    )
    sums: dict[tuple[UUID, int], list[int]] = {}
    for member_id, one in undone:
        total = sums.setdefault((member_id, one.entry_seq), [one.whole, 0])
        total[1] += one.points
    yield REVERSED.inserting(
        (
            {"member_id": member_id, "entry_seq": seq, "amount": whole, "reversed": points}
            for (member_id, seq), (whole, points) in sorted(sums.items())
        ),
        or_update="(member_id, entry_seq) DO UPDATE SET "
        "reversed = points_reversed.reversed + excluded.reversed",
    )


async def remove_unused(books: Iterable[Book]) -> None:
    """Remove the accounts that were made for this posting and in which nothing took effect."""
    made = [book.member_id for book in books if book.version == 0 and book.merged_into is None]
    if made:
        await execute("DELETE FROM points_account WHERE member_id = ANY($1::uuid[])", made)
