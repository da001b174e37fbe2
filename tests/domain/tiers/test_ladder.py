"""The ladder decides purely: which level points reach, the window, the review."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from domain.tiers.ladder import (
    LevelDefinition,
    Progress,
    level_reached,
    progress,
    review_moment,
    window_start,
)
from tests.domain.tiers.levels import BASE, GOLD, LEVELS, SHANGHAI, SILVER


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
    assert level_reached(points, levels=LEVELS) == reached


@pytest.mark.parametrize(
    ("today", "start"),
    [
        (date(2026, 3, 1), date(2025, 3, 1)),
        (date(2028, 2, 29), date(2027, 2, 28)),
        (date(2029, 2, 28), date(2028, 2, 28)),
        (date(2026, 1, 1), date(2025, 1, 1)),
    ],
)
def test_the_window_begins_after_the_same_day_a_year_ago(today: date, start: date) -> None:
    assert window_start(today) == start


@pytest.mark.parametrize(
    ("reached_on", "moment"),
    [
        (date(2026, 3, 1), datetime(2027, 3, 1, 16, tzinfo=UTC)),
        (date(2028, 2, 29), datetime(2029, 2, 28, 16, tzinfo=UTC)),
        (date(2026, 12, 31), datetime(2027, 12, 31, 16, tzinfo=UTC)),
    ],
)
def test_a_level_holds_through_the_same_day_of_the_next_year(
    reached_on: date, moment: datetime
) -> None:
    assert review_moment(reached_on, zone=SHANGHAI) == moment


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
    assert progress(current, levels=LEVELS, window_points=window, keep_points=since) == Progress(
        qualifying_points=window,
        next_level=following,
        points_to_next=to_next,
        points_to_keep=to_keep,
    )
