"""Undoing an earlier entry, wholly or in part: pure decisions, checked first and changed then.

An earning is taken back from its own lots, then from others, then as debt; a spending comes back as
new lots that expire as those did which paid. Old rows are never rewritten.
"""

from __future__ import annotations

from datetime import datetime

from domain.errors import EntryNotReversible, PointsOutOfRange, ReversalExceeds, ReversedBefore
from domain.ledger.book import Book, Salt, allocate, spend_order
from domain.ledger.commands import GiveBack, TakeBack
from domain.ledger.decisions import check_room, checked_points
from domain.ledger.entries import POINTS_MAX, Changes, Entry, EntryKind, Past, Texts, Undone


def take_back(book: Book, command: TakeBack, past: Past, *, now: datetime, salt: Salt) -> Entry:
    """Undo a part of an earning: from its own lots, then from others, then as debt.

    Refused: EntryNotReversible, ReversalExceeds, ReversedBefore, PointsOutOfRange.
    """
    points = checked_points(command.points)
    _check_reversal(past, EntryKind.EARN, points, cause=command.source.reference)
    own = spend_order(book.lots[seq] for seq in past.lots if seq in book.lots)
    from_pending = min(points, sum(lot.free for lot in own if lot.pending))
    rest = points - from_pending
    from_available = min(rest, book.available)
    if book.debt + rest - from_available > POINTS_MAX:
        raise PointsOutOfRange(points=book.debt + rest - from_available)
    entry = book.write(
        EntryKind.REVERSAL,
        amount=-points,
        changes=Changes(
            available=-from_available, pending=-from_pending, debt=rest - from_available
        ),
        effective_at=now,
        now=now,
        source_kind=command.source.kind,
        texts=Texts(reason=command.reason, reference=command.source.reference),
        salt=salt,
        reverses=past.seq,
    )
    for lot in own:
        part = from_pending if lot.pending else from_available
        taken = min(lot.free, part)
        book.draw(lot, entry=entry, amount=taken)
        if lot.pending:
            from_pending -= taken
        else:
            from_available -= taken
    if from_available:
        for lot, taken in allocate(book.lots.values(), points=from_available):
            book.draw(lot, entry=entry, amount=taken)
    book.undone.append(_undone(past, points, command.source.reference, by=entry))
    book.plan_next_change()
    return entry


def give_back(book: Book, command: GiveBack, past: Past, *, now: datetime, salt: Salt) -> Entry:
    """Undo a part of a spending: as new lots, those that were taken last first.

    Each has the expiry of the lot that paid, or `grace_until` where that has passed. Refused:
    EntryNotReversible, ReversalExceeds, ReversedBefore, PointsOutOfRange.
    """
    points = checked_points(command.points)
    _check_reversal(
        past, EntryKind.REDEEM, points, cause=command.source.reference, or_kind=EntryKind.CAPTURE
    )
    check_room(book, points)
    entry = book.write(
        EntryKind.REVERSAL,
        amount=points,
        changes=book.made_available(points),
        effective_at=now,
        now=now,
        source_kind=command.source.kind,
        texts=Texts(reason=command.reason, reference=command.source.reference),
        salt=salt,
        reverses=past.seq,
    )
    made = []
    for lot_seq, amount in _still_taken(past, points=points):
        parent = book.lots[lot_seq]
        expires_at = parent.expires_at if parent.expires_at > now else command.grace_until
        made.append(
            book.make_lot(
                entry=entry,
                points=amount,
                earned_at=now,
                matures_at=now,
                expires_at=expires_at,
                parent_lot=lot_seq,
            )
        )
    book.net(spend_order(made), entry=entry)
    book.undone.append(_undone(past, points, command.source.reference, by=entry))
    book.plan_next_change()
    return entry


def _check_reversal(
    past: Past,
    kind: EntryKind,
    points: int,
    *,
    cause: str,
    or_kind: EntryKind | None = None,
) -> None:
    if past.kind not in {kind, or_kind}:
        raise EntryNotReversible(entry=past.seq, kind=past.kind.value)
    if cause in past.causes:
        raise ReversedBefore(reference=cause)
    left = abs(past.amount) - past.reversed
    if points > left:
        raise ReversalExceeds(left=left, requested=points)


def _undone(past: Past, points: int, cause: str, *, by: Entry) -> Undone:
    return Undone(
        entry_seq=past.seq, whole=abs(past.amount), points=points, cause=cause, seq=by.seq
    )


def _still_taken(past: Past, *, points: int) -> list[tuple[int, int]]:
    """Which lots the next `points` of a spending come back to, after what came back before."""
    # A capture's last draws may have paid debt from what it released: those do not come back.
    netted = sum(amount for _, amount in past.drawn) - abs(past.amount)
    skip, left = netted + past.reversed, points
    found = []
    for lot_seq, amount in reversed(past.drawn):
        skipped = min(skip, amount)
        taken = min(amount - skipped, left)
        skip, left = skip - skipped, left - taken
        if taken:
            found.append((lot_seq, taken))
    assert left == 0, "what was drawn covers what was spent"
    return found
