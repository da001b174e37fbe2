"""What each command does to a book: pure decisions, in the words of the contract's table of kinds.

Every decision checks first and changes then: a refusal leaves the book as it was. The caller has
settled the book as of `now` before.
"""

from __future__ import annotations

from datetime import datetime

from domain.errors import (
    AccountFrozen,
    EntryNotReversible,
    HoldNotOpen,
    InsufficientPoints,
    PointsOutOfRange,
)
from domain.ledger.book import Book, Salt, allocate, next_change_of, spend_order
from domain.ledger.commands import (
    Adjust,
    Capture,
    Earn,
    Mature,
    Redeem,
    Release,
    SetAside,
    Transfer,
)
from domain.ledger.entries import (
    POINTS_MAX,
    Changes,
    Entry,
    EntryKind,
    Hold,
    HoldState,
    Past,
    Texts,
)


def checked_points(points: int) -> int:
    """An amount that a command may carry: 1..2^53−1; refused with PointsOutOfRange otherwise."""
    if not 1 <= points <= POINTS_MAX:
        raise PointsOutOfRange(points=points, field=("points",))
    return points


def earn(book: Book, command: Earn, *, now: datetime, salt: Salt) -> Entry:
    """Add a lot, spendable at once or when it matures. Refused: PointsOutOfRange."""
    points = checked_points(command.points)
    check_room(book, points)
    matures_at = command.matures_at or command.effective_at
    pending = matures_at > command.effective_at
    entry = book.write(
        EntryKind.EARN,
        amount=points,
        changes=Changes(pending=points) if pending else book.made_available(points),
        effective_at=command.effective_at,
        now=now,
        source_kind=command.source.kind,
        texts=Texts(reason=command.reason, reference=command.source.reference),
        salt=salt,
    )
    lot = book.make_lot(
        entry=entry,
        points=points,
        earned_at=command.effective_at,
        matures_at=matures_at,
        expires_at=command.expires_at,
        pending=pending,
    )
    book.net([lot], entry=entry)
    # The other lots need not be known for this.
    book.next_change_at = min(book.next_change_at, next_change_of(lot))
    return entry


def mature(book: Book, command: Mature, past: Past, *, now: datetime, salt: Salt) -> Entry:
    """Let a pending earning mature before its time. Refused: EntryNotReversible."""
    lots = [book.lots[seq] for seq in past.lots if seq in book.lots]
    waiting = [lot for lot in lots if lot.pending and lot.remaining > 0]
    if not waiting:
        raise EntryNotReversible(entry=past.seq, kind=past.kind.value)
    entries = [
        book.mature(lot, at=now, now=now, salt=salt, source=command.source) for lot in waiting
    ]
    book.plan_next_change()
    return entries[-1]


def redeem(book: Book, command: Redeem, *, now: datetime, salt: Salt) -> Entry:
    """Spend from the lots that expire soonest. Refused: InsufficientPoints, AccountFrozen."""
    points = _spendable(book, command.points)
    texts = Texts(reason=command.reason, reference=command.source.reference)
    return _spend(
        book,
        EntryKind.REDEEM,
        points,
        source_kind=command.source.kind,
        texts=texts,
        now=now,
        salt=salt,
    )


def set_aside(book: Book, command: SetAside, *, now: datetime, salt: Salt) -> Entry:
    """Pin the lots that expire soonest. Refused: InsufficientPoints, AccountFrozen."""
    points = _spendable(book, command.points)
    assert command.hold_id not in book.holds, "a hold's id is derived from its key"
    entry = book.write(
        EntryKind.HOLD,
        amount=-points,
        changes=Changes(available=-points, held=points),
        effective_at=now,
        now=now,
        source_kind=command.source.kind,
        texts=Texts(reference=command.source.reference),
        salt=salt,
    )
    hold = Hold(
        hold_id=command.hold_id,
        owner=command.owner,
        entry_seq=entry.seq,
        amount=points,
        state=HoldState.OPEN,
        captured=0,
        expires_at=command.expires_at,
        reference=command.source.reference,
        pins={},
    )
    for lot, amount in allocate(book.lots.values(), points=points):
        lot.pinned += amount
        hold.pins[lot.lot_seq] = amount
        book.touched_lots.add(lot.lot_seq)
    book.holds[hold.hold_id] = hold
    book.made_holds.append(hold)
    book.plan_next_change()
    return entry


def capture(book: Book, command: Capture, *, now: datetime, salt: Salt) -> Entry:
    """Spend what an open hold pinned, the rest is released. Refused: HoldNotOpen, more than held.

    A lot that expired while it was held is honoured.
    """
    hold = _open_hold(book, command)
    if book.frozen:
        raise AccountFrozen
    points = hold.amount if command.points is None else checked_points(command.points)
    if points > hold.amount:
        raise InsufficientPoints(available=hold.amount, requested=points, field=("points",))
    entry = book.write(
        EntryKind.CAPTURE,
        amount=-points,
        changes=book.made_available(hold.amount - points, held=-hold.amount),
        effective_at=now,
        now=now,
        source_kind=command.source.kind,
        texts=Texts(reference=command.source.reference),
        salt=salt,
    )
    pins = dict(hold.pins)
    freed = book.close_hold(hold, HoldState.CAPTURED, captured=points)
    left = points
    for lot in freed:
        taken = min(pins[lot.lot_seq], left)
        book.draw(lot, entry=entry, amount=taken)
        pins[lot.lot_seq] -= taken
        left -= taken
    assert left == 0, "the pins cover the hold"
    book.net(freed, entry=entry)
    book.expire_late(freed, at=now, now=now, salt=salt)
    book.plan_next_change()
    return entry


def release(book: Book, command: Release, *, now: datetime, salt: Salt) -> Entry:
    """Give an open hold back. Refused: HoldNotOpen."""
    hold = _open_hold(book, command)
    entry = book.release(
        hold, HoldState.RELEASED, at=now, now=now, salt=salt, source=command.source
    )
    book.plan_next_change()
    return entry


def transfer(
    giver: Book, taker: Book, command: Transfer, *, now: datetime, salt: Salt
) -> tuple[Entry, Entry]:
    """Move points, each lot with its expiry. Refused: InsufficientPoints, AccountFrozen, range."""
    points = _spendable(giver, command.points)
    check_room(taker, points)
    texts = Texts(note=command.note, reference=command.source.reference)
    paying = [
        (lot.expires_at, lot.earned_at, amount)
        for lot, amount in allocate(giver.lots.values(), points=points)
    ]
    out = _spend(
        giver,
        EntryKind.TRANSFER_OUT,
        points,
        source_kind=command.source.kind,
        texts=texts,
        now=now,
        salt=salt,
    )
    into = taker.write(
        EntryKind.TRANSFER_IN,
        amount=points,
        changes=taker.made_available(points),
        effective_at=now,
        now=now,
        source_kind=command.source.kind,
        texts=texts,
        salt=salt,
    )
    made = [
        taker.make_lot(
            entry=into, points=amount, earned_at=earned_at, matures_at=now, expires_at=expires_at
        )
        for expires_at, earned_at, amount in paying
    ]
    taker.net(spend_order(made), entry=into)
    taker.plan_next_change()
    return out, into


def adjust(book: Book, command: Adjust, *, now: datetime, salt: Salt) -> Entry:
    """Correct a balance. Refused: InsufficientPoints and AccountFrozen (down), PointsOutOfRange."""
    texts = Texts(reason=command.reason, reference=command.source.reference)
    if command.points < 0:
        points = _spendable(book, -command.points)
        return _spend(
            book,
            EntryKind.ADJUST,
            points,
            source_kind=command.source.kind,
            texts=texts,
            now=now,
            salt=salt,
        )
    points = checked_points(command.points)
    check_room(book, points)
    entry = book.write(
        EntryKind.ADJUST,
        amount=points,
        changes=book.made_available(points),
        effective_at=now,
        now=now,
        source_kind=command.source.kind,
        texts=texts,
        salt=salt,
    )
    lot = book.make_lot(
        entry=entry,
        points=points,
        earned_at=now,
        matures_at=now,
        expires_at=command.expires_at,
    )
    book.net([lot], entry=entry)
    book.plan_next_change()
    return entry


def _spend(
    book: Book,
    kind: EntryKind,
    points: int,
    *,
    source_kind: str,
    texts: Texts,
    now: datetime,
    salt: Salt,
) -> Entry:
    entry = book.write(
        kind,
        amount=-points,
        changes=Changes(available=-points),
        effective_at=now,
        now=now,
        source_kind=source_kind,
        texts=texts,
        salt=salt,
    )
    for lot, amount in allocate(book.lots.values(), points=points):
        book.draw(lot, entry=entry, amount=amount)
    book.plan_next_change()
    return entry


def _spendable(book: Book, points: int) -> int:
    assert book.lots_complete, "spending needs the open lots"
    if book.frozen:
        raise AccountFrozen
    if checked_points(points) > book.available:
        raise InsufficientPoints(available=book.available, requested=points)
    return points


def check_room(book: Book, points: int) -> None:
    """Refuse points that would lift what the member has out of the range."""
    if book.total + points > POINTS_MAX:
        raise PointsOutOfRange(points=book.total + points)


def _open_hold(book: Book, command: Capture | Release) -> Hold:
    hold = book.holds.get(command.hold_id)
    if hold is None or hold.state is not HoldState.OPEN:
        raise HoldNotOpen(state=hold.state.value if hold else None)
    return hold
