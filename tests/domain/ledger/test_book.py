"""The book decides purely: what is spent first, what matures, what debt takes, what is refused."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta

import pytest

from domain.errors import InsufficientPoints, PointsOutOfRange
from domain.ledger import NEVER, POINTS_MAX, decisions
from domain.ledger.book import Book, allocate
from domain.ledger.entries import Lot
from tests.domain.ledger.commands import (
    NOW,
    balances,
    days,
    earn,
    earned,
    opened,
    redeem,
    redeemed,
    told,
    zero_salt,
)


def drawn(book: Book) -> list[tuple[int, int, int]]:
    """What entries took from lots, as (entry, lot, amount)."""
    return [(draw.entry_seq, draw.lot_seq, draw.amount) for draw in book.draws]


def test_what_expires_soonest_is_spent_first_and_of_equals_the_older_lot() -> None:
    book = opened()
    for points, expires in [(10, days(300)), (20, days(200)), (30, None), (40, days(200))]:
        earned(book, earn(points, expires=NOW + expires if expires else NEVER))
    redeemed(book, 65)
    assert drawn(book) == [(5, 2, 20), (5, 4, 40), (5, 1, 5)]
    redeemed(book, 35)
    assert drawn(book)[3:] == [(6, 1, 5), (6, 3, 30)]
    assert balances(book) == (0, 0, 0, 0)
    assert book.next_change_at == NEVER


def test_points_are_spendable_to_the_last_microsecond_and_not_after_it() -> None:
    expires = NOW + days(10)
    book = opened()
    earned(book, earn(100, expires=expires))
    assert book.next_change_at == expires
    late = deepcopy(book)
    redeemed(book, 100, now=expires - timedelta(microseconds=1))
    assert told(book) == [("EARN", 100, 100), ("REDEEM", -100, 0)]
    with pytest.raises(InsufficientPoints) as refused:
        redeemed(late, 1, now=expires)
    assert (refused.value.available, refused.value.shortfall) == (0, 1)
    assert told(late) == [("EARN", 100, 100), ("EXPIRE", -100, 0)]
    assert late.entries[1].effective_at == expires


def test_pending_points_are_spendable_from_the_moment_they_mature() -> None:
    matures = NOW + days(7)
    book = opened()
    earned(book, earn(100, matures=matures))
    assert balances(book) == (0, 100, 0, 0)
    assert told(book) == [("EARN", 100, 0)]
    with pytest.raises(InsufficientPoints):
        redeemed(book, 1, now=matures - timedelta(microseconds=1))
    redeemed(book, 30, now=matures)
    assert told(book) == [("EARN", 100, 0), ("MATURE", 100, 100), ("REDEEM", -30, 70)]
    assert balances(book) == (70, 0, 0, 0)
    assert book.entries[1].effective_at == matures
    assert book.entries[1].changes.net == 0


def test_pending_points_are_not_spent_though_they_expire_sooner() -> None:
    book = opened()
    earned(book, earn(100, matures=NOW + days(7), expires=NOW + days(8)))
    earned(book, earn(50, expires=NOW + days(9)))
    redeemed(book, 50)
    assert drawn(book) == [(3, 2, 50)]
    assert balances(book) == (0, 100, 0, 0)


def test_a_lot_that_matures_and_expires_at_one_moment_does_both() -> None:
    moment = NOW + days(7)
    book = opened()
    earned(book, earn(100, matures=moment, expires=moment))
    book.settle(now=moment, salt=zero_salt)
    assert told(book) == [("EARN", 100, 0), ("MATURE", 100, 100), ("EXPIRE", -100, 0)]
    assert balances(book) == (0, 0, 0, 0)


def test_a_lot_may_expire_before_it_matures() -> None:
    book = opened()
    earned(book, earn(100, matures=NOW + days(9), expires=NOW + days(5)))
    assert book.next_change_at == NOW + days(5)
    book.settle(now=NOW + days(10), salt=zero_salt)
    assert told(book) == [("EARN", 100, 0), ("EXPIRE", -100, 0)]
    assert book.entries[1].changes.pending == -100
    assert balances(book) == (0, 0, 0, 0)
    assert book.next_change_at == NEVER


def test_a_backdated_earning_matures_and_expires_from_its_own_moment() -> None:
    """Old files are imported under the rules of today: everything fell due long ago."""
    book = opened()
    at = NOW - days(500)
    earned(book, earn(100, at=at, matures=at + days(7), expires=at + days(365)))
    assert told(book) == [("EARN", 100, 0), ("MATURE", 100, 100), ("EXPIRE", -100, 0)]
    assert [entry.effective_at for entry in book.entries] == [at, at + days(7), at + days(365)]
    assert {entry.recorded_at for entry in book.entries} == {NOW}


def test_a_maturity_that_is_not_after_the_earning_is_at_once() -> None:
    book = opened()
    earned(book, earn(10, matures=NOW))
    earned(book, earn(10, matures=NOW - days(1)))
    assert told(book) == [("EARN", 10, 10), ("EARN", 10, 20)]


def test_what_fell_due_is_written_in_the_order_in_which_it_fell_due() -> None:
    book = opened()
    earned(book, earn(1, matures=NOW + days(5), expires=NOW + days(6)))
    earned(book, earn(2, matures=NOW + days(1), expires=NOW + days(7)))
    earned(book, earn(4, expires=NOW + days(5)))
    book.settle(now=NOW + days(30), salt=zero_salt)
    assert [(kind, amount) for kind, amount, _ in told(book)[3:]] == [
        ("MATURE", 2),
        ("MATURE", 1),
        ("EXPIRE", -4),
        ("EXPIRE", -1),
        ("EXPIRE", -2),
    ]
    moments = [entry.effective_at for entry in book.entries[3:]]
    assert moments == sorted(moments)


def test_settling_twice_writes_nothing_more() -> None:
    book = opened()
    earned(book, earn(10, expires=NOW + days(1)))
    book.settle(now=NOW + days(2), salt=zero_salt)
    settled = deepcopy(book)
    book.settle(now=NOW + days(3), salt=zero_salt)
    assert book == settled


@pytest.mark.parametrize(
    ("debt", "points", "left", "remaining"),
    [(30, 100, (70, 0, 0, 0), 70), (100, 100, (0, 0, 0, 0), 0), (130, 100, (0, 0, 0, 30), 0)],
)
def test_debt_takes_from_an_earning_first(
    debt: int, points: int, left: tuple[int, ...], remaining: int
) -> None:
    book = opened(debt=debt)
    earned(book, earn(points, expires=NOW + days(10)))
    netted = points - remaining
    assert balances(book) == left
    assert told(book) == [("EARN", points, left[0])]
    assert book.entries[0].changes.net == points
    assert book.entries[0].changes.debt == -netted
    assert drawn(book) == [(1, 1, netted)]
    assert book.lots[1].remaining == remaining
    assert book.next_change_at == (NOW + days(10) if remaining else NEVER)


def test_debt_waits_until_points_mature() -> None:
    book = opened(debt=40)
    earned(book, earn(100, matures=NOW + days(7)))
    assert balances(book) == (0, 100, 0, 40)
    book.settle(now=NOW + days(7), salt=zero_salt)
    assert balances(book) == (60, 0, 0, 0)
    assert told(book) == [("EARN", 100, 0), ("MATURE", 100, 60)]
    assert drawn(book) == [(2, 1, 40)]


def test_a_debtor_has_nothing_to_spend() -> None:
    book = opened(debt=1)
    with pytest.raises(InsufficientPoints) as refused:
        redeemed(book, 1)
    assert refused.value.available == 0


def test_what_a_hold_pins_neither_expires_nor_is_spent() -> None:
    expires = NOW + days(5)
    lot = Lot(
        lot_seq=1,
        entry_seq=1,
        earned=100,
        remaining=100,
        pinned=30,
        pending=False,
        earned_at=NOW,
        matures_at=NOW,
        expires_at=expires,
    )
    assert allocate([lot], points=70) == [(lot, 70)]
    book = opened()
    book.available, book.held, book.lots, book.next_change_at = 70, 30, {1: lot}, expires
    book.settle(now=expires, salt=zero_salt)
    assert told(book) == [("EXPIRE", -70, 0)]
    assert balances(book) == (0, 0, 30, 0)
    assert (lot.remaining, lot.pinned) == (30, 30)


def test_a_balance_may_reach_the_largest_number_that_javascript_holds() -> None:
    book = opened()
    earned(book, earn(POINTS_MAX - 1))
    earned(book, earn(1, matures=NOW + days(1)))
    assert book.available + book.pending == POINTS_MAX == 9_007_199_254_740_991
    with pytest.raises(PointsOutOfRange) as refused:
        earned(book, earn(1))
    assert refused.value.points == POINTS_MAX + 1
    redeemed(book, POINTS_MAX, now=NOW + days(1))
    assert balances(book) == (0, 0, 0, 0)


@pytest.mark.parametrize("points", [0, -1, -(2**53), 2**53, 2**63, 2**100])
def test_an_amount_outside_the_range_is_refused_and_changes_nothing(points: int) -> None:
    book = opened()
    earned(book, earn(100))
    before = deepcopy(book)
    with pytest.raises(PointsOutOfRange) as earning:
        decisions.earn(book, earn(points), now=NOW, salt=zero_salt)
    with pytest.raises(PointsOutOfRange) as spending:
        decisions.redeem(book, redeem(points), now=NOW, salt=zero_salt)
    for refused in (earning.value, spending.value):
        assert (refused.points, refused.field) == (points, ("points",))
    assert book == before


def test_a_refused_redemption_changes_nothing() -> None:
    book = opened()
    earned(book, earn(100))
    before = deepcopy(book)
    with pytest.raises(InsufficientPoints) as refused:
        decisions.redeem(book, redeem(101), now=NOW, salt=zero_salt)
    assert (refused.value.available, refused.value.requested) == (100, 101)
    assert book == before


def test_recording_times_never_go_back() -> None:
    """Workers' clocks differ: the second worker's is an hour behind."""
    book = opened()
    earned(book, earn(100), now=NOW)
    redeemed(book, 1, now=NOW - timedelta(hours=1))
    assert [entry.recorded_at for entry in book.entries] == [NOW, NOW]


def test_entries_are_numbered_without_gaps_and_chained() -> None:
    book = opened()
    earned(book, earn(100, expires=NOW + days(2)))
    redeemed(book, 10)
    earned(book, earn(7, matures=NOW + days(1)))
    redeemed(book, 5, now=NOW + days(3))
    assert [entry.seq for entry in book.entries] == [1, 2, 3, 4, 5, 6]
    assert book.version == 6
    assert book.head_hash == book.entries[-1].hash
    assert len({entry.hash for entry in book.entries}) == 6
