"""What a level asks, and what a member has: decided purely.

What counts is what purchases came to: the points that they earned, what was paid for them, and how
many they were. A spendable balance never counts, so spending lowers nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.ledger import POINTS_MAX

AMOUNT_FEN_MAX: Final = POINTS_MAX
PURCHASES_MAX: Final = 1_000_000
"""More purchases than this on one day, or in a criterion, are no purchases of one person."""


class Match(StrEnum):
    """Whether all that is asked must be there, or one of it."""

    ALL = "ALL"
    ANY = "ANY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What counts over some days: points, fen paid net of refunds, and purchases."""

    points: int = 0
    amount_fen: int = 0
    purchases: int = 0

    def plus(self, other: Total) -> Total:
        """Both together, each within what a column holds."""
        return Total(
            points=min(self.points + other.points, POINTS_MAX),
            amount_fen=min(self.amount_fen + other.amount_fen, AMOUNT_FEN_MAX),
            purchases=min(self.purchases + other.purchases, PURCHASES_MAX),
        )

    def less(self, other: Total) -> Total:
        """What is left without the other; never below nothing."""
        return Total(
            points=max(self.points - other.points, 0),
            amount_fen=max(self.amount_fen - other.amount_fen, 0),
            purchases=max(self.purchases - other.purchases, 0),
        )


NOTHING: Final = Total()


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a level asks within the window: points (0: not asked), fen paid, purchases.

    What is None is not asked. Where nothing is asked, as at the base, anybody has it.
    """

    threshold: int = 0
    amount_fen: int | None = None
    purchases: int | None = None
    match: Match = Match.ALL

    def met_by(self, total: Total) -> bool:
        """Whether the total is enough."""
        asked = [
            have >= least
            for have, least in (
                (total.points, self.threshold or None),
                (total.amount_fen, self.amount_fen),
                (total.purchases, self.purchases),
            )
            if least is not None
        ]
        return not asked or (any(asked) if self.match is Match.ANY else all(asked))
