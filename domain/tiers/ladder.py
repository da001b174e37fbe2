"""The ladder of levels, decided purely: which level is reached, and what is missing to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.tiers.criteria import Criteria, Match, Total
from domain.tiers.windows import LevelRules


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelDefinition:
    """A level, and what it asks: see `criteria.Criteria`. The base, of rank 0, asks nothing.

    `threshold` is in qualifying points, `amount_fen` is paid and not refunded.
    """

    code: str
    rank: int
    name_zh: str
    name_en: str
    threshold: int
    amount_fen: int | None = None
    purchases: int | None = None
    match: Match = Match.ALL

    @property
    def criteria(self) -> Criteria:
        """What it asks."""
        return Criteria(
            threshold=self.threshold,
            amount_fen=self.amount_fen,
            purchases=self.purchases,
            match=self.match,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The levels, by rank from the base, and the rules that they are held by."""

    levels: Sequence[LevelDefinition]
    rules: LevelRules

    @property
    def ranks(self) -> dict[str, int]:
        """The rank of each level by its code."""
        return {level.code: level.rank for level in self.levels}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a member stands. `points_to_next` is None at the top, `points_to_keep` 0 when kept.

    `window` is what counts in the window that ends today, `keep` since the period of the present
    level's review began: what counts in the window, where staff alone gave the level.
    """

    qualifying_points: int
    window: Total
    keep: Total
    next_level: LevelDefinition | None
    points_to_next: int | None
    points_to_keep: int


def level_reached(total: Total, *, levels: Sequence[LevelDefinition]) -> LevelDefinition:
    """The highest level that is reached; levels are sorted by rank and begin with the base."""
    return [level for level in levels if level.criteria.met_by(total)][-1]


def progress(
    current: LevelDefinition,
    *,
    levels: Sequence[LevelDefinition],
    window: Total,
    keep: Total,
) -> Progress:
    """What is left to the next level and to keep this one, by what counts for either."""
    above = [level for level in levels if level.rank > current.rank]
    following = above[0] if above else None
    return Progress(
        qualifying_points=window.points,
        window=window,
        keep=keep,
        next_level=following,
        points_to_next=max(following.threshold - window.points, 0) if following else None,
        points_to_keep=max(current.threshold - keep.points, 0),
    )
