"""The arithmetic of earning: pure, in integers, with one stated rounding.

    points = floor( Σ(amount_fen × rate_permille) × min(paid, L) × multiplier_permille
                    / (L × 100 × 1000 × 1000) )          with L = Σ amount_fen

Each line earns at its own rate (permille of a point per yuan, that of its product's theme; 0 for a
line of no quantity, which sold nothing). What
was paid below the sum of the lines is a discount on the order, spread over the lines pro rata; what
was paid above it (shipping) earns nothing. The level's multiplier applies last. Everything is
multiplied first and divided once, so the one floor per order is the only rounding: many small lines
lose nothing, and an order never earns more than its undiscounted amount would.

Of a refund each line gives first what was refunded of that line, as far as its share of what was
paid goes. The rest of the refund is first of what was paid above the lines, which earned nothing,
then of all lines, pro rata to what is left of them. What is left earns as before, with one floor
again; an order of which everything was refunded earns nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FEN_PER_YUAN = 100
PERMILLE = 1000


@dataclass(frozen=True, slots=True)
class EarningLine:
    """What a line brings to the sum: its amount in fen and its rate in permille points per yuan."""

    amount_fen: int
    rate_permille: int


def points_earned(lines: Iterable[EarningLine], *, paid_fen: int, multiplier_permille: int) -> int:
    """The points of one order; 0 for an order whose lines amount to nothing.

    All numbers are non-negative integers; the result is exact whatever their size.
    """
    list_fen = 0
    weighted = 0
    for line in lines:
        list_fen += line.amount_fen
        weighted += line.amount_fen * line.rate_permille
    assert list_fen >= 0 <= weighted, "amounts and rates are never negative"
    assert paid_fen >= 0 <= multiplier_permille, "nor is what was paid, nor a multiplier"
    if list_fen == 0:
        return 0
    return (
        weighted
        * min(paid_fen, list_fen)
        * multiplier_permille
        // (list_fen * FEN_PER_YUAN * PERMILLE * PERMILLE)
    )


@dataclass(frozen=True, slots=True)
class RefundedLine(EarningLine):
    """The same, and how much money was given back for this very line, in fen."""

    refunded_fen: int = 0


def points_kept(
    lines: Sequence[RefundedLine], *, paid_fen: int, refunded_fen: int, multiplier_permille: int
) -> int:
    """The points of an order of which `refunded_fen` in all was given back, lines included.

    Never more than before a further refund, and `points_earned` where nothing was refunded. Exact.
    """
    of_lines = sum(line.refunded_fen for line in lines)
    assert 0 <= of_lines <= refunded_fen <= paid_fen, "no more is given back than was paid"
    list_fen = sum(line.amount_fen for line in lines)
    if list_fen == 0:
        return 0
    # All in fen times the sum of the lines, so that each line's share of what was paid is whole.
    goods_fen = min(paid_fen, list_fen)
    shares = [line.amount_fen * goods_fen - line.refunded_fen * list_fen for line in lines]
    left = [max(share, 0) for share in shares]
    total = sum(left)
    if total == 0:
        return 0
    beyond = total - sum(shares)
    of_no_line = (refunded_fen - of_lines - (paid_fen - goods_fen)) * list_fen + beyond
    kept = total - max(of_no_line, 0)
    weighted = sum(one * line.rate_permille for one, line in zip(left, lines, strict=True))
    return (
        weighted
        * kept
        * multiplier_permille
        // (total * list_fen * FEN_PER_YUAN * PERMILLE * PERMILLE)
    )
