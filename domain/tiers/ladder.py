"""The ladder of levels, decided purely: which level points reach, when it is reviewed.

Qualifying points count in a rolling window of twelve calendar months that ends today. A level that
is reached holds through the same day a year later; the review then counts what was earned after the
day on which the level was reached, so the points that gained a level do not keep it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.ledger import add_months, local_midnight

WINDOW_MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelDefinition:
    """A level: `threshold` is the qualifying points that reach it, 0 for the base level alone."""

    code: str
    rank: int
    name_zh: str
    name_en: str
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a member stands. `points_to_next` is None at the top, `points_to_keep` 0 when kept."""

    qualifying_points: int
    next_level: LevelDefinition | None
    points_to_next: int | None
    points_to_keep: int


def window_start(today: date) -> date:
    """The day after which qualifying points count, for a window that ends with `today`."""
    return add_months(today, -WINDOW_MONTHS)


def level_reached(points: int, *, levels: Sequence[LevelDefinition]) -> LevelDefinition:
    """The highest level that `points` reach; levels are sorted by rank and begin with the base."""
    return [level for level in levels if level.threshold <= points][-1]


def review_moment(reached_on: date, *, zone: ZoneInfo) -> datetime:
    """When a level reached on a day is reviewed: it holds through that day of the next year."""
    return local_midnight(add_months(reached_on, WINDOW_MONTHS) + timedelta(days=1), zone)


def progress(
    current: LevelDefinition,
    *,
    levels: Sequence[LevelDefinition],
    window_points: int,
    keep_points: int,
) -> Progress:
    """What is left to the next level and to keep this one.

    `window_points` were earned in the window that ends today, `keep_points` since this level was
    reached.
    """
    above = [level for level in levels if level.rank > current.rank]
    following = above[0] if above else None
    return Progress(
        qualifying_points=window_points,
        next_level=following,
        points_to_next=max(following.threshold - window_points, 0) if following else None,
        points_to_keep=max(current.threshold - keep_points, 0),
    )
