"""The arithmetic of earning, against exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.purchases.rules import EarningLine, RefundedLine, points_earned, points_kept

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


def kept_by_hand(
    order: list[tuple[int, int, int]], *, paid_fen: int, of_no_line: int, multiplier_permille: int
) -> Fraction:
    """Points of what is left, of lines (amount, rate, refunded): what docs/shops.md says."""
    whole = sum(amount for amount, _, _ in order)
    if whole == 0:
        return Fraction(0)
    goods = min(paid_fen, whole)
    shares = [Fraction(amount * goods, whole) for amount, _, _ in order]
    left = [
        max(share - back, Fraction(0)) for share, (_, _, back) in zip(shares, order, strict=True)
    ]
    beyond = sum(
        max(back - share, Fraction(0)) for share, (_, _, back) in zip(shares, order, strict=True)
    )
    rest = max(of_no_line + beyond - (paid_fen - goods), Fraction(0))
    total = sum(left)
    part = (total - rest) / total if total else Fraction(0)
    return sum(
        (
            one * part * Fraction(rate * multiplier_permille, 100 * 1_000 * 1_000)
            for one, (_, rate, _) in zip(left, order, strict=True)
        ),
        Fraction(0),
    )


@st.composite
def refunded_orders(draw: st.DrawFn) -> tuple[list[tuple[int, int, int]], int, int]:
    """Lines with what came back of each, what was paid, and what came back of no line."""
    bought = draw(st.lists(st.tuples(st.integers(0, 50_000), rates), min_size=1, max_size=5))
    paid = draw(st.integers(0, sum(amount for amount, _ in bought) + 2_000))
    open_fen, order = paid, []
    for amount, rate in bought:
        back = draw(st.integers(0, min(amount, open_fen)))
        open_fen -= back
        order.append((amount, rate, back))
    return order, paid, draw(st.integers(0, open_fen))


@given(refunded_orders(), multipliers)
def test_what_an_order_keeps_is_exact(
    refunded: tuple[list[tuple[int, int, int]], int, int], multiplier_permille: int
) -> None:
    order, paid_fen, of_no_line = refunded
    of_lines = sum(back for _, _, back in order)

    def kept(more: int) -> int:
        return points_kept(
            [RefundedLine(*one) for one in order],
            paid_fen=paid_fen,
            refunded_fen=of_lines + of_no_line + more,
            multiplier_permille=multiplier_permille,
        )

    by_hand = kept_by_hand(
        order,
        paid_fen=paid_fen,
        of_no_line=of_no_line,
        multiplier_permille=multiplier_permille,
    )
    assert kept(0) == floor(by_hand)
    # A further refund never gives points back, and the last takes all.
    rest = paid_fen - of_lines - of_no_line
    assert kept(0) >= kept(rest // 2) >= kept(rest) == 0


@given(lines, amounts, multipliers)
def test_an_order_of_which_nothing_came_back_keeps_everything(
    order: list[EarningLine], paid_fen: int, multiplier_permille: int
) -> None:
    kept = points_kept(
        [RefundedLine(one.amount_fen, one.rate_permille) for one in order],
        paid_fen=paid_fen,
        refunded_fen=0,
        multiplier_permille=multiplier_permille,
    )
    assert kept == points_earned(order, paid_fen=paid_fen, multiplier_permille=multiplier_permille)
