"""Reversals, decided purely: of earnings and of spendings, whole and in parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.errors import (
    EntryNotReversible,
    ReversalExceeds,
    ReversedBefore,
)
from domain.ledger.deciding import after
from domain.ledger.entries import EntryKind
from tests.domain.ledger.commands import (
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
    RELEASE,
    apply,
    capture,
    drawn,
    give_back,
    past_of,
    refused,
    set_aside,
    sound,
    take_back,
    two_lots,
)

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
