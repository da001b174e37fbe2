"""Two accounts of one person become one, and are parted again: the posting of `merge_decisions`.

The account that is given up is closed: it is empty, and says who has its points now. Its journal
stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.ledger import merge_decisions
from domain.ledger.book import Book, Books
from domain.ledger.entries import POINTS_MAX, Lot, Source
from domain.ledger.loading import COLUMNS_OF_LOT, LOT_COLUMNS, load_open_lots, lot_of
from domain.ledger.merge_decisions import SOURCE_KIND, Came, Handing
from domain.ledger.origins import handing_writes, origins_of
from domain.ledger.posting import event_of, new_salt
from domain.ledger.store import open_books, remove_unused, write_books
from domain.outbox import announce
from domain.storage import execute, fetch_all, inside_transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsMerged:
    """What went over: `net` points. What came, came by entries from number `since` on."""

    since: int
    net: int


async def merge_accounts(
    loser_id: UUID, keeper_id: UUID, *, merge_id: UUID, now: datetime
) -> AccountsMerged:
    """Move all that the loser's account has and owes to the keeper's, and close it.

    Inside the caller's transaction, which has locked both members. Open holds of the loser are
    released; adjustments of theirs that wait for approval become the keeper's. Refused:
    AccountFrozen (either), PointsOutOfRange.
    """
    assert inside_transaction(), "whoever merges accounts merges the members"
    books = await _opened(loser_id, keeper_id, now=now)
    loser, keeper = books[loser_id], books[keeper_id]
    since = keeper.version + 1
    handing = merge_decisions.close(
        loser,
        keeper,
        origins=await origins_of(loser_id, loser.lots),
        source=_source(merge_id),
        now=now,
        salt=new_salt,
    )
    await _write(books, handing, now=now)
    await remove_unused([keeper])
    await execute(
        "UPDATE points_account SET merged_into = $2 WHERE member_id = $1", loser_id, keeper_id
    )
    await execute(
        "UPDATE points_adjustment SET member_id = $2, came_with = $3"
        " WHERE member_id = $1 AND status = 'PENDING'",
        *(loser_id, keeper_id, merge_id),
    )
    return AccountsMerged(since=since, net=handing.into.amount if handing else 0)


async def part_accounts(
    loser_id: UUID, keeper_id: UUID, *, merge_id: UUID, since: int, now: datetime
) -> int:
    """Undo `merge_accounts`, which gave `since`; returns the net points that went back.

    What is left of what came goes back, each lot with its dates (see `merge_decisions.part`), and
    the account is open again. In the caller's transaction, which has locked both members. Refused:
    AccountFrozen (either), PointsOutOfRange.
    """
    assert inside_transaction(), "whoever parts accounts parts the members"
    books = await _opened(loser_id, keeper_id, now=now)
    loser, keeper = books[loser_id], books[keeper_id]
    came = await _what_came(keeper, loser_id, since=since)
    handing = merge_decisions.part(
        keeper, loser, came, source=_source(merge_id), now=now, salt=new_salt
    )
    await _write(books, handing, now=now)
    await execute("UPDATE points_account SET merged_into = NULL WHERE member_id = $1", loser_id)
    loser.merged_into = None
    await remove_unused(books.values())
    await execute(
        "UPDATE points_adjustment SET member_id = $1, came_with = NULL"
        " WHERE member_id = $2 AND came_with = $3 AND status = 'PENDING'",
        *(loser_id, keeper_id, merge_id),
    )
    return handing.into.amount if handing else 0


def _source(merge_id: UUID) -> Source:
    return Source(kind=SOURCE_KIND, reference=str(merge_id))


async def _opened(loser_id: UUID, keeper_id: UUID, *, now: datetime) -> dict[UUID, Book]:
    """Both accounts, locked in order, with all their open lots and holds, brought up to date."""
    books = await open_books([loser_id, keeper_id], now=now)
    everything = dict.fromkeys(books, POINTS_MAX)
    await load_open_lots(list(books.values()), needed=everything, now=now)
    for book in books.values():
        if not book.frozen:
            book.settle(now=now, salt=new_salt)
    return books


async def _write(books: Books, handing: Handing | None, *, now: datetime) -> None:
    for book in books.values():
        # What came may have been about to mature or expire.
        book.settle(now=now, salt=new_salt)
    written = [book for book in books.values() if book.entries]
    await write_books(written, beside=handing_writes([handing] if handing else []))
    await announce((event_of(entry) for book in written for entry in book.entries), now=now)


_CAME = f"""
    SELECT {LOT_COLUMNS}, NULL::bigint AS drawn_by, NULL::bigint AS drawn FROM points_lot
    WHERE member_id = $1 AND entry_seq = ANY($2::bigint[])
    UNION ALL
    SELECT {COLUMNS_OF_LOT}, d.entry_seq AS drawn_by, d.amount AS drawn
    FROM points_draw AS d
    JOIN points_lot AS l ON l.member_id = d.member_id AND l.lot_seq = d.lot_seq
    WHERE d.member_id = $1 AND d.entry_seq = ANY($2::bigint[])
    ORDER BY drawn_by, expires_at, lot_seq
"""


# What the closed journal of a third record lets go over to the keeper meanwhile is the keeper's. It
# is the loser's where that record had been merged into the loser's.
_ENTRIES = """
    WITH RECURSIVE leads (member_id, at) AS (
        SELECT member_id, member_id FROM points_merge
        WHERE to_member_id = $1 AND in_seq >= $2
        UNION
        SELECT l.member_id, a.merged_into FROM leads AS l
        JOIN points_account AS a ON a.member_id = l.at
        WHERE a.merged_into IS NOT NULL AND l.at <> $3
    )
    SELECT e.seq, e.debt_change FROM points_merge AS p
    JOIN points_entry AS e ON e.member_id = p.to_member_id AND e.seq = p.in_seq
    WHERE p.to_member_id = $1 AND p.in_seq >= $2
        AND p.member_id IN (SELECT member_id FROM leads WHERE at = $3)
"""


async def _what_came(keeper: Book, loser_id: UUID, *, since: int) -> Came:
    """What the loser's journal brought by entries from `since` on, and what it paid at once.

    With the journals of the records that had been merged into the loser's.
    """
    entries = await fetch_all(_ENTRIES, keeper.member_id, since, loser_id)
    came: list[Lot] = []
    draws: list[tuple[int, Lot, int]] = []
    for row in await fetch_all(_CAME, keeper.member_id, [entry["seq"] for entry in entries]):
        lot = keeper.lots.setdefault(row["lot_seq"], lot_of(row))
        if row["drawn_by"] is None:
            came.append(lot)
        else:
            draws.append((row["drawn_by"], lot, row["drawn"]))
    theirs = {lot.lot_seq for lot in came}
    return Came(
        lots=came,
        for_keeper=[(lot, points) for by, lot, points in draws if lot.entry_seq == by],
        for_loser=[(lot, points) for _, lot, points in draws if lot.lot_seq not in theirs],
        debt=sum(max(entry["debt_change"], 0) for entry in entries),
        origins=await origins_of(keeper.member_id, theirs),
    )
