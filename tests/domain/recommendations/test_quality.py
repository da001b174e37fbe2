"""Quality: recall by hand, what is counted of whom, and figures that JSON keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from math import sqrt

import orjson
import pytest

from domain.recommendations.quality import (
    CUTS,
    HistoryGroup,
    Outcome,
    Quality,
    QualityCount,
    recall,
)

SPLIT = datetime(2026, 10, 1, tzinfo=UTC)
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)


def outcome(history: str, later: str, again: str, discover: str, explained: int = 1) -> Outcome:
    """Products are letters, in the order in which they are shown."""
    return Outcome(
        history=set(history),
        later=set(later),
        again=list(again),
        discover=list(discover),
        explained=explained,
    )


def judged(*outcomes: Outcome, popular: str = "xyz", offered: int = 20) -> Quality:
    counting = QualityCount(offered=offered, popular=list(popular))
    for one in outcomes:
        counting.add(one)
    return counting.result(split_at=SPLIT, until=UNTIL)


def test_recall_is_of_what_could_have_been_hit() -> None:
    assert recall("ab", {"a", "z"}) == 0.5
    assert recall("ab", {"a"}, places=1) == 1.0
    assert recall("ba", {"a"}, places=1) == 0.0
    # Eleven were bought: ten places can hit ten of them.
    assert recall("abcdefghij", set("abcdefghijk")) == 1.0
    # What stands in the eleventh place is not seen.
    assert recall("abcdefghijk", {"k"}) == 0.0
    assert recall("", {"a"}) == 0.0


def test_a_shelf_is_the_mean_over_its_members() -> None:
    found = judged(
        # Of a, c and d bought later: again shows a, discover c of the two new ones.
        outcome("ab", "acd", "ab", "ce"),
        # Nothing new was bought: no member of the shelf of discoveries.
        outcome("ab", "b", "ab", "ce"),
        # Nothing was bought later, or nothing before: no member of either.
        outcome("ab", "", "ab", "ce"),
        outcome("", "ax", "", "xa", explained=0),
    )
    assert found.again.members == 2
    assert found.again.recall_at_10 == pytest.approx((1 / 3 + 1) / 2)
    assert found.again.recall[1] == pytest.approx((1 + 0) / 2)
    assert found.again.error == pytest.approx(1 / 3 / sqrt(2))
    assert found.discover.members == 1
    assert found.discover.recall_at_10 == 0.5
    assert found.discover.error == 0
    assert (found.cold.members, found.cold.recall_at_10) == (1, 1.0)
    assert found.cold_share == pytest.approx(1 / 3)


def test_popular_is_judged_alike_and_discoveries_without_what_one_has() -> None:
    found = judged(outcome("x", "xa", "x", "b"), popular="xa")
    assert found.again.popular == 1.0
    assert found.discover.popular == 1.0
    found = judged(outcome("x", "a", "x", "b"), popular="xbcdefghijka")
    assert found.discover.popular == 0.0, "ten others come before"


def test_coverage_and_cold_members_are_shares() -> None:
    found = judged(
        outcome("ab", "c", "ab", "cd"),
        outcome("ab", "c", "", "ce", explained=0),
        popular="x",
        offered=10,
    )
    assert (found.again.coverage, found.again.cold) == (0.2, 0.5)
    assert (found.discover.coverage, found.discover.cold) == (0.3, 0.5)


def test_members_are_grouped_by_what_they_had() -> None:
    five = "abcde"
    found = judged(outcome("a", "z", "a", "z"), outcome(five, "a", five, "y"))
    assert list(found.by_history) == [
        HistoryGroup(least=1, most=4, members=1, again=0.0, discover=1.0),
        HistoryGroup(least=5, most=19, members=1, again=1.0, discover=0.0),
        HistoryGroup(least=20, most=99, members=0, again=0.0, discover=0.0),
        HistoryGroup(least=100, most=None, members=0, again=0.0, discover=0.0),
    ]


def test_figures_are_kept_as_json() -> None:
    found = judged(outcome("ab", "acd", "ab", "ce"), outcome("", "x", "", "y", explained=0))
    kept = orjson.loads(orjson.dumps(found.as_facts()))
    assert Quality.from_facts(kept) == found
    assert set(found.again.recall) == set(CUTS)


def test_nobody_is_no_division_by_nothing() -> None:
    found = judged()
    assert (found.again.members, found.again.recall_at_10, found.cold_share) == (0, 0.0, 0.0)
