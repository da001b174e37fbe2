"""The arithmetic of earning, against exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.purchases.rules import EarningLine, points_earned

AMOUNT_MAX = 2**53 - 1
amounts = st.integers(0, AMOUNT_MAX)
rates = st.integers(0, 1_000_000)
multipliers = st.integers(0, 100_000)
lines = st.lists(st.builds(EarningLine, amounts, rates), max_size=20)


def reference(order: list[EarningLine], *, paid_fen: int, multiplier_permille: int) -> Fraction:
    """Points before the one rounding: each line at its rate, the discount spread pro rata."""
    whole = sum(line.amount_fen for line in order)
    if whole == 0:
        return Fraction(0)
    kept = Fraction(min(paid_fen, whole), whole)
    in_full = sum(
        Fraction(line.amount_fen, 100) * Fraction(line.rate_permille, 1000) for line in order
    )
    return in_full * kept * Fraction(multiplier_permille, 1000)


@pytest.mark.parametrize(
    ("order", "paid_fen", "multiplier_permille", "points"),
    [
        ([(10_000, 1000)], 10_000, 1000, 100),
        ([(199, 1000)], 199, 1000, 1),
        ([(99, 1000)], 99, 1000, 0),
        # Many small lines lose nothing: 10 × 0.99 yuan is 9 points, not 0.
        ([(99, 1000)] * 10, 990, 1000, 9),
        # A discount of a third on the order takes a third of every line's points.
        ([(6_000, 1000), (3_000, 2000)], 6_000, 1000, 80),
        # Shipping of 12 yuan earns nothing.
        ([(10_000, 1000)], 11_200, 1000, 100),
        # 8.8 yuan × 1.5 × 1.2
        ([(880, 1500)], 880, 1200, 15),
        ([(5_000, 0)], 5_000, 1000, 0),
        ([(5_000, 1000)], 5_000, 0, 0),
        ([(0, 1000)], 500, 1000, 0),
        ([], 500, 1000, 0),
        # The largest amount at the largest rate is exact: no binary fraction is involved.
        ([(AMOUNT_MAX, 1_000_000)], AMOUNT_MAX, 1000, 90_071_992_547_409_910),
    ],
)
def test_points(
    order: list[tuple[int, int]], paid_fen: int, multiplier_permille: int, points: int
) -> None:
    earned = points_earned(
        [EarningLine(*line) for line in order],
        paid_fen=paid_fen,
        multiplier_permille=multiplier_permille,
    )
    assert earned == points


@given(lines, amounts, multipliers)
def test_points_equal_the_exact_fraction_rounded_down_once(
    order: list[EarningLine], paid: int, multiplier: int
) -> None:
    exact = reference(order, paid_fen=paid, multiplier_permille=multiplier)
    assert points_earned(order, paid_fen=paid, multiplier_permille=multiplier) == floor(exact)


@given(lines, amounts, amounts, multipliers)
def test_paying_more_never_earns_less(
    order: list[EarningLine], paid: int, more: int, multiplier: int
) -> None:
    less, full = sorted((paid, more))
    assert points_earned(order, paid_fen=less, multiplier_permille=multiplier) <= points_earned(
        order, paid_fen=full, multiplier_permille=multiplier
    )


@given(lines, amounts, multipliers)
def test_an_order_never_earns_more_than_it_would_undiscounted(
    order: list[EarningLine], paid: int, multiplier: int
) -> None:
    whole = sum(line.amount_fen for line in order)
    assert points_earned(order, paid_fen=paid, multiplier_permille=multiplier) <= points_earned(
        order, paid_fen=whole, multiplier_permille=multiplier
    )


@given(lines, st.integers(0, AMOUNT_MAX), multipliers, st.data())
def test_splitting_a_line_in_two_changes_nothing(
    order: list[EarningLine], paid: int, multiplier: int, data: st.DataObject
) -> None:
    split: list[EarningLine] = []
    for line in order:
        part = data.draw(st.integers(0, line.amount_fen))
        split += [
            EarningLine(part, line.rate_permille),
            EarningLine(line.amount_fen - part, line.rate_permille),
        ]
    assert points_earned(split, paid_fen=paid, multiplier_permille=multiplier) == points_earned(
        order, paid_fen=paid, multiplier_permille=multiplier
    )


@given(lines, lines, multipliers)
def test_two_orders_earn_as_one_but_for_one_point_of_rounding(
    one: list[EarningLine], other: list[EarningLine], multiplier: int
) -> None:
    def earned(order: list[EarningLine]) -> int:
        paid = sum(line.amount_fen for line in order)
        return points_earned(order, paid_fen=paid, multiplier_permille=multiplier)

    assert 0 <= earned(one + other) - earned(one) - earned(other) <= 1


@given(lines, st.builds(EarningLine, amounts, rates), amounts, multipliers)
def test_a_line_that_is_added_and_paid_in_full_never_takes_points_away(
    order: list[EarningLine], new: EarningLine, paid: int, multiplier: int
) -> None:
    before = points_earned(order, paid_fen=paid, multiplier_permille=multiplier)
    after = points_earned(
        [*order, new], paid_fen=paid + new.amount_fen, multiplier_permille=multiplier
    )
    assert after >= before
