"""Commands applied to books as a posting does it, without a database; each step is shown sound."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime
from uuid import UUID

import pytest

from domain.errors import (
    Refusal,
)
from domain.ledger.book import Book
from domain.ledger.commands import Capture, Command, GiveBack, Release, SetAside, TakeBack
from domain.ledger.deciding import decide
from domain.ledger.entries import Entry, HoldState, Past, Source
from tests.domain.ledger.commands import (
    ALICE,
    NOW,
    days,
    earn,
    earned,
    opened,
    zero_salt,
)

CHECKOUT = Source(kind="checkout", reference="cart-1")
REFUND = Source(kind="refund", reference="refund-1")
HOLD = UUID(int=1)
TOMORROW = NOW + days(1)


def drawn(book: Book) -> list[tuple[int, int, int]]:
    return [(draw.entry_seq, draw.lot_seq, draw.amount) for draw in book.draws]


def lots(book: Book) -> list[tuple[int, int, int, datetime]]:
    """Every lot as (lot, remaining, pinned, expiry)."""
    return [(lot.lot_seq, lot.remaining, lot.pinned, lot.expires_at) for lot in book.lots.values()]


def apply(command: Command, *books: Book, past: Past | None = None, now: datetime = NOW) -> Entry:
    """What a posting does with a command."""
    for book in books:
        book.settle(now=now, salt=zero_salt)
    entry = decide(command, books, past, now=now, salt=zero_salt)
    for book in books:
        book.settle(now=now, salt=zero_salt)
    sound(*books)
    return entry


def sound(*books: Book) -> None:
    """The invariants of the contract."""
    for book in books:
        matured = [lot for lot in book.lots.values() if not lot.pending]
        assert sum(lot.remaining for lot in matured) == book.available + book.held
        assert sum(lot.remaining for lot in book.lots.values() if lot.pending) == book.pending
        assert sum(lot.pinned for lot in book.lots.values()) == book.held
        assert book.held == sum(
            hold.amount for hold in book.holds.values() if hold.state is HoldState.OPEN
        )
        for lot in book.lots.values():
            taken = sum(d.amount for d in book.draws if d.lot_seq == lot.lot_seq)
            assert lot.earned - taken == lot.remaining
        net = book.available + book.pending + book.held - book.debt
        assert sum(entry.changes.net for entry in book.entries) == net


def refused(kind: type[Refusal], command: Command, *books: Book, **how: object) -> Refusal:
    """The refusal, which changed nothing but what was due."""
    now = how.get("now", NOW)
    assert isinstance(now, datetime)
    for book in books:
        book.settle(now=now, salt=zero_salt)
    before = deepcopy(books)
    with pytest.raises(kind) as refusal:
        decide(command, books, how.get("past"), now=now, salt=zero_salt)  # type: ignore[arg-type]
    assert books == before
    return refusal.value


def set_aside(points: int, *, expires: datetime = TOMORROW, hold_id: UUID = HOLD) -> SetAside:
    return SetAside(
        member_id=ALICE,
        hold_id=hold_id,
        owner="shop",
        points=points,
        expires_at=expires,
        source=CHECKOUT,
    )


def capture(points: int | None = None) -> Capture:
    return Capture(member_id=ALICE, hold_id=HOLD, points=points, source=CHECKOUT)


RELEASE = Release(member_id=ALICE, hold_id=HOLD, source=CHECKOUT)


def take_back(points: int, *, entry: int = 1, cause: str = "refund-1") -> TakeBack:
    return TakeBack(
        member_id=ALICE,
        entry_seq=entry,
        points=points,
        source=Source(kind="refund", reference=cause),
    )


def give_back(points: int, *, entry: int, cause: str = "refund-1") -> GiveBack:
    return GiveBack(
        member_id=ALICE,
        entry_seq=entry,
        points=points,
        grace_until=NOW + days(400),
        source=Source(kind="refund", reference=cause),
    )


def past_of(book: Book, seq: int) -> Past:
    """The entry as a posting would load it."""
    entry = book.entries[seq - 1]
    taken = [(d.lot_seq, d.amount) for d in book.draws if d.entry_seq == seq]
    taken.sort(key=lambda one: (book.lots[one[0]].expires_at, one[0]))
    undone = [one for one in book.undone if one.entry_seq == seq]
    return Past(
        seq=seq,
        kind=entry.kind,
        amount=entry.amount,
        reversed=sum(one.points for one in undone),
        lots=tuple(lot.lot_seq for lot in book.lots.values() if lot.entry_seq == seq),
        drawn=tuple(taken),
        causes=frozenset(one.cause for one in undone),
    )


def two_lots() -> Book:
    """60 points that expire in 10 days, and 40 that expire in 20."""
    book = opened()
    earned(book, earn(60, expires=NOW + days(10)))
    earned(book, earn(40, expires=NOW + days(20)))
    return book
