"""The ladder decides purely: which level points reach, what is missing."""

from __future__ import annotations

import pytest

from domain.tiers.criteria import Total
from domain.tiers.ladder import (
    LevelDefinition,
    Progress,
    level_reached,
    progress,
)
from tests.domain.tiers.levels import BASE, GOLD, LEVELS, SILVER


@pytest.mark.parametrize(
    ("points", "reached"),
    [
        (0, BASE),
        (999, BASE),
        (1_000, SILVER),
        (4_999, SILVER),
        (5_000, GOLD),
        (2**53 - 1, GOLD),
    ],
)
def test_a_level_is_reached_at_its_threshold(points: int, reached: LevelDefinition) -> None:
    assert level_reached(Total(points=points), levels=LEVELS) == reached


@pytest.mark.parametrize(
    ("current", "window", "since", "expected"),
    [
        (BASE, 0, 0, (SILVER, 1_000, 0)),
        (BASE, 999, 999, (SILVER, 1, 0)),
        (SILVER, 1_500, 0, (GOLD, 3_500, 1_000)),
        (SILVER, 1_500, 400, (GOLD, 3_500, 600)),
        (SILVER, 1_500, 1_000, (GOLD, 3_500, 0)),
        # More than enough for the next level, which the next qualifying posting gives.
        (SILVER, 6_000, 6_000, (GOLD, 0, 0)),
        (GOLD, 5_000, 4_999, (None, None, 1)),
        (GOLD, 9_000, 9_000, (None, None, 0)),
    ],
)
def test_progress_counts_to_the_next_level_and_to_keeping_this_one(
    current: LevelDefinition,
    window: int,
    since: int,
    expected: tuple[LevelDefinition | None, int | None, int],
) -> None:
    following, to_next, to_keep = expected
    counts = {"window": Total(points=window), "keep": Total(points=since)}
    assert progress(current, levels=LEVELS, **counts) == Progress(
        qualifying_points=window,
        **counts,
        next_level=following,
        points_to_next=to_next,
        points_to_keep=to_keep,
    )
