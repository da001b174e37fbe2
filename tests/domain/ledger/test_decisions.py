"""Holds, reversals, transfers and adjustments, decided purely: the contract's table row by row."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.errors import (
    AccountFrozen,
    EntryNotReversible,
    HoldNotOpen,
    InsufficientPoints,
    PointsOutOfRange,
    Refusal,
    ReversalExceeds,
    ReversedBefore,
)
from domain.ledger import NEVER, POINTS_MAX
from domain.ledger.book import Book
from domain.ledger.commands import after, decide, members_of
from domain.ledger.entries import (
    Adjust,
    Capture,
    Command,
    Entry,
    EntryKind,
    GiveBack,
    HoldState,
    Mature,
    Past,
    Release,
    SetAside,
    Source,
    TakeBack,
    Transfer,
)
from tests.domain.ledger.commands import (
    ALICE,
    BOB,
    NOW,
    balances,
    days,
    earn,
    earned,
    opened,
    redeem,
    told,
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


# Holds


def test_a_hold_pins_the_lots_that_expire_soonest_and_draws_nothing() -> None:
    book = two_lots()
    apply(set_aside(80), book)
    assert told(book)[2:] == [("HOLD", -80, 20)]
    assert balances(book) == (20, 0, 80, 0)
    assert [(lot, left, pinned) for lot, left, pinned, _ in lots(book)] == [
        (1, 60, 60),
        (2, 40, 20),
    ]
    assert drawn(book) == []
    assert book.next_change_at == NOW + days(1)
    assert refused(InsufficientPoints, set_aside(21, hold_id=UUID(int=2)), book)


def test_what_is_held_cannot_be_spent() -> None:
    book = two_lots()
    apply(set_aside(80), book)
    refusal = refused(InsufficientPoints, redeem(21), book)
    assert isinstance(refusal, InsufficientPoints)
    assert (refusal.available, refusal.shortfall) == (20, 1)
    apply(redeem(20), book)
    assert drawn(book) == [(4, 2, 20)]


@pytest.mark.parametrize("points", [None, 80])
def test_a_capture_spends_what_was_pinned(points: int | None) -> None:
    book = two_lots()
    apply(set_aside(80), book)
    apply(capture(points), book)
    assert told(book)[3:] == [("CAPTURE", -80, 20)]
    assert balances(book) == (20, 0, 0, 0)
    assert drawn(book) == [(4, 1, 60), (4, 2, 20)]
    assert (book.holds[HOLD].state, book.holds[HOLD].captured) == (HoldState.CAPTURED, 80)


def test_a_partial_capture_releases_the_rest_in_the_same_entry() -> None:
    book = two_lots()
    apply(set_aside(80), book)
    apply(capture(30), book)
    assert told(book)[3:] == [("CAPTURE", -30, 70)]
    assert book.entries[3].changes.net == -30
    assert balances(book) == (70, 0, 0, 0)
    assert drawn(book) == [(4, 1, 30)]
    assert [pinned for _, _, pinned, _ in lots(book)] == [0, 0]


def test_a_hold_is_closed_at_most_once() -> None:
    book = two_lots()
    apply(set_aside(80), book)
    refusal = refused(InsufficientPoints, capture(81), book)
    assert isinstance(refusal, InsufficientPoints)
    assert (refusal.available, refusal.field) == (80, ("points",))
    refused(PointsOutOfRange, capture(0), book)
    apply(RELEASE, book)
    for again in (capture(), RELEASE):
        refusal = refused(HoldNotOpen, again, book)
        assert isinstance(refusal, HoldNotOpen)
        assert refusal.state == "RELEASED"
    unknown = refused(HoldNotOpen, replace(RELEASE, hold_id=UUID(int=9)), book)
    assert isinstance(unknown, HoldNotOpen)
    assert unknown.state is None


def test_a_release_gives_everything_back() -> None:
    book = two_lots()
    apply(set_aside(80), book)
    apply(RELEASE, book)
    assert told(book)[3:] == [("RELEASE", 80, 100)]
    assert book.entries[3].changes.net == 0
    assert balances(book) == (100, 0, 0, 0)


def test_a_hold_runs_out_by_itself_at_its_moment() -> None:
    book = two_lots()
    apply(set_aside(80, expires=NOW + timedelta(minutes=30)), book)
    late = NOW + days(2)
    refused(HoldNotOpen, capture(), book, now=late)
    assert told(book)[3:] == [("RELEASE", 80, 100)]
    assert book.entries[3].effective_at == NOW + timedelta(minutes=30)
    assert book.entries[3].source_kind == "hold-expiry"
    assert book.holds[HOLD].state is HoldState.EXPIRED


def test_a_lot_that_expires_while_it_is_held_is_honoured_at_capture() -> None:
    book = two_lots()
    apply(set_aside(50, expires=NOW + days(15)), book)
    late = NOW + days(12)
    apply(capture(), book, now=late)
    # Ten of the first lot were not held: they expired on their day.
    assert told(book)[3:] == [("EXPIRE", -10, 40), ("CAPTURE", -50, 40)]
    assert book.entries[3].effective_at == NOW + days(10)


@pytest.mark.parametrize("partly", [True, False])
def test_what_is_released_after_its_expiry_expires_at_once(partly: bool) -> None:
    book = two_lots()
    apply(set_aside(60, expires=NOW + days(15)), book)
    late = NOW + days(12)
    if partly:
        apply(capture(20), book, now=late)
        assert told(book)[3:] == [("CAPTURE", -20, 80), ("EXPIRE", -40, 40)]
    else:
        apply(RELEASE, book, now=late)
        assert told(book)[3:] == [("RELEASE", 60, 100), ("EXPIRE", -60, 40)]
    assert book.entries[4].effective_at == late
    assert balances(book) == (40, 0, 0, 0)


def test_a_hold_that_runs_out_after_its_lots_expires_them_at_that_moment() -> None:
    book = two_lots()
    ends = NOW + days(15)
    apply(set_aside(60, expires=ends), book)
    book.settle(now=NOW + days(16), salt=zero_salt)
    sound(book)
    assert told(book)[3:] == [("RELEASE", 60, 100), ("EXPIRE", -60, 40)]
    assert [entry.effective_at for entry in book.entries[3:]] == [ends, ends]


def test_a_hold_that_runs_out_before_its_lots_leaves_them_to_their_day() -> None:
    book = two_lots()
    apply(set_aside(60, expires=NOW + days(5)), book)
    book.settle(now=NOW + days(11), salt=zero_salt)
    sound(book)
    assert told(book)[3:] == [("RELEASE", 60, 100), ("EXPIRE", -60, 40)]
    assert [entry.effective_at for entry in book.entries[3:]] == [NOW + days(5), NOW + days(10)]


# Reversals of earnings


def test_a_reversal_takes_from_its_own_lot_first() -> None:
    book = two_lots()
    apply(take_back(25, entry=2), book, past=past_of(book, 2))
    assert told(book)[2:] == [("REVERSAL", -25, 75)]
    assert book.entries[2].reverses == 2
    assert drawn(book) == [(3, 2, 25)]


def test_then_from_others_then_as_debt() -> None:
    book = two_lots()
    apply(redeem(70), book)  # All of the first lot, ten of the second.
    apply(take_back(60), book, past=past_of(book, 1))
    assert told(book)[3:] == [("REVERSAL", -60, 0)]
    assert balances(book) == (0, 0, 0, 30)
    assert drawn(book)[2:] == [(4, 2, 30)]
    earned(book, earn(50))
    assert told(book)[4:] == [("EARN", 50, 20)]
    assert balances(book) == (20, 0, 0, 0)
    sound(book)


def test_a_reversal_of_what_is_still_pending_takes_the_pending() -> None:
    book = opened()
    earned(book, earn(100, matures=NOW + days(7)))
    apply(take_back(30), book, past=past_of(book, 1))
    assert told(book) == [("EARN", 100, 0), ("REVERSAL", -30, 0)]
    assert balances(book) == (0, 70, 0, 0)
    book.settle(now=NOW + days(7), salt=zero_salt)
    assert told(book)[2:] == [("MATURE", 70, 70)]


def test_what_a_hold_pins_is_not_taken_back_but_owed() -> None:
    book = opened()
    earned(book, earn(100))
    apply(set_aside(80), book)
    apply(take_back(100), book, past=past_of(book, 1))
    assert balances(book) == (0, 0, 80, 80)
    # What the release makes available pays the debt in the same entry.
    apply(RELEASE, book)
    assert told(book)[3:] == [("RELEASE", 80, 0)]
    assert balances(book) == (0, 0, 0, 0)
    assert drawn(book) == [(3, 1, 20), (4, 1, 80)]


def test_a_partial_capture_pays_debt_from_what_it_releases() -> None:
    book = opened()
    earned(book, earn(100))
    apply(set_aside(80), book)
    apply(take_back(50), book, past=past_of(book, 1))
    assert balances(book) == (0, 0, 80, 30)
    apply(capture(60), book)
    assert told(book)[3:] == [("CAPTURE", -60, 0)]
    assert balances(book) == (0, 0, 0, 10)
    # Sixty were spent and twenty netted: one row, since it is one entry and one lot.
    assert drawn(book) == [(3, 1, 20), (4, 1, 80)]


def test_parts_add_up_and_never_exceed_the_whole() -> None:
    book = two_lots()
    past = past_of(book, 1)
    for number in range(3):
        apply(take_back(20, cause=f"refund-{number}"), book, past=past)
        past = after(past, book)
    assert past == past_of(book, 1)
    assert past.reversed == 60
    refusal = refused(ReversalExceeds, take_back(1, cause="refund-9"), book, past=past)
    assert isinstance(refusal, ReversalExceeds)
    assert (refusal.left, refusal.requested) == (0, 1)


def test_one_cause_takes_back_once_whatever_key_it_comes_with() -> None:
    book = two_lots()
    past = past_of(book, 1)
    apply(take_back(20), book, past=past)
    refused(ReversedBefore, take_back(20), book, past=after(past, book))


@pytest.mark.parametrize("kind", [one for one in EntryKind if one is not EntryKind.EARN])
def test_only_an_earning_is_taken_back(kind: EntryKind) -> None:
    book = two_lots()
    past = replace(past_of(book, 1), kind=kind)
    refusal = refused(EntryNotReversible, take_back(1), book, past=past)
    assert isinstance(refusal, EntryNotReversible)
    assert refusal.kind == kind.value


# Reversals of spendings


def test_points_of_a_redemption_come_back_as_lots_with_their_own_expiry() -> None:
    book = two_lots()
    apply(redeem(70), book)
    apply(give_back(70, entry=3), book, past=past_of(book, 3))
    assert told(book)[3:] == [("REVERSAL", 70, 100)]
    made = [(lot.earned, lot.expires_at, lot.parent_lot) for lot in book.made_lots[2:]]
    assert made == [(10, NOW + days(20), 2), (60, NOW + days(10), 1)]


def test_parts_come_back_last_taken_first_and_each_once() -> None:
    book = two_lots()
    apply(redeem(70), book)
    past = past_of(book, 3)
    for number, points in enumerate((5, 15, 50)):
        apply(give_back(points, entry=3, cause=f"refund-{number}"), book, past=past)
        past = after(past, book)
    made = [(lot.earned, lot.parent_lot) for lot in book.made_lots[2:]]
    assert made == [(5, 2), (5, 2), (10, 1), (50, 1)]
    assert balances(book) == (100, 0, 0, 0)
    refused(ReversalExceeds, give_back(1, entry=3, cause="refund-9"), book, past=past)
    refused(ReversedBefore, give_back(1, entry=3, cause="refund-0"), book, past=past)


def test_of_a_lot_that_expired_meanwhile_they_come_back_for_the_days_of_grace() -> None:
    book = two_lots()
    apply(redeem(70), book)
    late = NOW + days(12)
    apply(give_back(70, entry=3), book, past=past_of(book, 3), now=late)
    made = [(lot.earned, lot.expires_at) for lot in book.made_lots[2:]]
    assert made == [(10, NOW + days(20)), (60, NOW + days(400))]


def test_what_comes_back_pays_debt_first() -> None:
    book = two_lots()
    apply(redeem(100), book)
    apply(take_back(30), book, past=past_of(book, 1))
    assert balances(book) == (0, 0, 0, 30)
    apply(give_back(50, entry=3), book, past=past_of(book, 3))
    assert told(book)[4:] == [("REVERSAL", 50, 20)]
    assert balances(book) == (20, 0, 0, 0)


def test_a_captured_hold_is_given_back_like_a_redemption() -> None:
    book = two_lots()
    apply(set_aside(80), book)
    apply(capture(70), book)
    apply(give_back(70, entry=4), book, past=past_of(book, 4))
    assert balances(book) == (100, 0, 0, 0)


# Transfers, adjustments, maturity by action, frozen accounts


def bob(*, debt: int = 0) -> Book:
    return Book(member_id=BOB, recorded_at=NOW, debt=debt)


def moved(points: int) -> Transfer:
    return Transfer(
        member_id=ALICE,
        to_member_id=BOB,
        points=points,
        note="生日快乐",
        source=Source(kind="transfer", reference="t-1"),
    )


def test_a_transfer_keeps_each_lots_expiry() -> None:
    alice, receiver = two_lots(), bob()
    assert members_of(moved(70)) == (ALICE, BOB)
    apply(moved(70), alice, receiver)
    assert told(alice)[2:] == [("TRANSFER_OUT", -70, 30)]
    assert told(receiver) == [("TRANSFER_IN", 70, 70)]
    assert [(left, expires) for _, left, _, expires in lots(receiver)] == [
        (60, NOW + days(10)),
        (10, NOW + days(20)),
    ]
    assert receiver.next_change_at == NOW + days(10)
    assert receiver.entries[0].texts.note == "生日快乐"


def test_a_transfer_pays_the_receivers_debt_first() -> None:
    alice, receiver = two_lots(), bob()
    earned(receiver, earn(65, member_id=BOB))
    apply(redeem(65, member_id=BOB), receiver)
    taken = replace(take_back(65), member_id=BOB)
    apply(taken, receiver, past=past_of(receiver, 1))
    assert balances(receiver) == (0, 0, 0, 65)
    apply(moved(70), alice, receiver)
    assert balances(receiver) == (5, 0, 0, 0)
    assert [left for _, left, _, _ in lots(receiver)] == [0, 0, 5]


def test_a_transfer_that_is_refused_moves_neither_side() -> None:
    alice, receiver = two_lots(), bob()
    refused(InsufficientPoints, moved(101), alice, receiver)
    rich = bob()
    earned(rich, earn(POINTS_MAX - 10, member_id=BOB))
    refused(PointsOutOfRange, moved(11), alice, rich)


def adjusted(points: int) -> Adjust:
    return Adjust(
        member_id=ALICE,
        points=points,
        reason="补偿",
        expires_at=NOW + days(30),
        source=Source(kind="adjustment", reference="a-1"),
    )


def test_an_adjustment_adds_a_lot_or_spends() -> None:
    book = two_lots()
    apply(adjusted(50), book)
    apply(adjusted(-70), book)
    assert told(book)[2:] == [("ADJUST", 50, 150), ("ADJUST", -70, 80)]
    assert lots(book)[2] == (3, 50, 0, NOW + days(30))
    refused(InsufficientPoints, adjusted(-81), book)
    refused(PointsOutOfRange, adjusted(POINTS_MAX), book)


def test_a_pending_earning_matures_by_an_action() -> None:
    book = opened()
    earned(book, earn(100, matures=NEVER))
    delivered = Mature(
        member_id=ALICE, entry_seq=1, source=Source(kind="delivery", reference="d-1")
    )
    apply(delivered, book, past=past_of(book, 1), now=NOW + days(3))
    assert told(book)[1:] == [("MATURE", 100, 100)]
    assert (book.entries[1].source_kind, book.entries[1].effective_at) == (
        "delivery",
        NOW + days(3),
    )
    refused(EntryNotReversible, delivered, book, past=past_of(book, 1))


@pytest.mark.parametrize(
    "command", [redeem(1), set_aside(1, hold_id=UUID(int=2)), adjusted(-1), capture()]
)
def test_a_frozen_account_spends_nothing(command: Command) -> None:
    book = two_lots()
    apply(set_aside(10), book)
    book.frozen = True
    refused(AccountFrozen, command, book)
    refused(AccountFrozen, moved(1), book, bob())
    apply(RELEASE, book)
    apply(adjusted(1), book)
    earned(book, earn(1))
    assert balances(book) == (102, 0, 0, 0)
