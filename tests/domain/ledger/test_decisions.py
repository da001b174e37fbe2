"""Holds, transfers and adjustments, decided purely: the contract's table row by row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from domain.errors import (
    AccountFrozen,
    EntryNotReversible,
    HoldNotOpen,
    InsufficientPoints,
    PointsOutOfRange,
)
from domain.ledger import NEVER, POINTS_MAX
from domain.ledger.book import Book
from domain.ledger.commands import Adjust, Command, Mature, Transfer, members_of
from domain.ledger.entries import HoldState, Source
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
from tests.domain.ledger.deciding import (
    HOLD,
    RELEASE,
    apply,
    capture,
    drawn,
    lots,
    past_of,
    refused,
    set_aside,
    sound,
    take_back,
    two_lots,
)

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
