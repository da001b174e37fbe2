"""The arithmetic of earning: pure, in integers, with one stated rounding.

    points = floor( Σ(amount_fen × rate_permille) × min(paid, L) × multiplier_permille
                    / (L × 100 × 1000 × 1000) )          with L = Σ amount_fen

Each line earns at its own rate (permille of a point per yuan, that of its product's theme; 0 for a
line of no quantity, which sold nothing). What
was paid below the sum of the lines is a discount on the order, spread over the lines pro rata; what
was paid above it (shipping) earns nothing. The level's multiplier applies last. Everything is
multiplied first and divided once, so the one floor per order is the only rounding: many small lines
lose nothing, and an order never earns more than its undiscounted amount would.
"""

from __future__ import annotations

from collections.abc import Iterable
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
