"""What becomes of a level as time passes and things are bought and sent back; decided purely."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from domain.tiers import LevelDefinition, Match
from domain.tiers.careers import Because
from domain.tiers.criteria import Criteria
from domain.tiers.terms import Term, TermKind
from domain.tiers.windows import CalendarYear, LevelRules, Rolling
from tests.domain.tiers.careers import CALENDAR, ROLLING, Someone, midnight, noon
from tests.domain.tiers.levels import BASE, SILVER

ROLLING_GRACE = replace(ROLLING, grace_days=20)
CALENDAR_GRACE = replace(CALENDAR, grace_days=20)


# The window and the term.


def test_a_rolling_level_holds_through_the_same_day_of_the_next_year() -> None:
    one = Someone(ROLLING)
    one.buys(1_000, "2026-03-10")
    assert one.level("2026-03-11") == ("silver", "2027-03-10")
    assert one.level("2027-03-10") == ("silver", "2027-03-10")
    assert one.level("2027-03-11") == ("base", None)
    assert one.history == [
        ("silver", "QUALIFIED", "2026-03-10"),
        ("base", "LOWERED", "2027-03-11"),
    ]


def test_a_level_reached_on_29_february_holds_through_28_february() -> None:
    one = Someone(ROLLING)
    one.buys(1_000, "2028-02-29")
    one.buys(1_000, "2029-02-28")
    assert one.level("2029-02-28") == ("silver", "2029-02-28")
    # Renewed by what was earned on the last day, and from then on 28 February stays the day.
    assert one.level("2029-03-01") == ("silver", "2030-02-28")


def test_a_window_that_ends_on_29_february_begins_after_28_february() -> None:
    one = Someone(ROLLING)
    one.buys(500, "2027-02-28")
    one.buys(999, "2028-02-29")
    assert one.level("2028-03-01") == ("base", None)
    other = Someone(ROLLING)
    other.buys(1, "2027-03-01")
    other.buys(999, "2028-02-29")
    assert other.level("2028-03-01") == ("silver", "2029-02-28")


def test_a_window_of_three_months() -> None:
    one = Someone(LevelRules(window=Rolling(3), notice_days=0))
    one.buys(500, "2026-11-30")
    one.buys(499, "2027-02-28")
    assert one.level("2027-03-01") == ("base", None)
    # 28 February lies three months on from 28 November; 30 November counts.
    one.buys(1, "2027-02-28", recorded="2027-02-28")
    assert one.level("2027-03-01") == ("silver", "2027-05-28")


def test_a_calendar_level_holds_through_the_end_of_the_next_year() -> None:
    one = Someone(CALENDAR)
    one.buys(1_000, "2026-01-01")
    assert one.level("2026-01-02") == ("silver", "2027-12-31")
    assert one.level("2027-12-31") == ("silver", "2027-12-31")
    assert one.level("2028-01-01") == ("base", None)
    other = Someone(CALENDAR)
    other.buys(999, "2026-12-31")
    other.buys(1, "2027-01-01")
    assert other.level("2027-01-02") == ("base", None)


def test_what_is_recorded_late_counts_in_its_own_calendar_year() -> None:
    one = Someone(CALENDAR)
    one.buys(999, "2026-12-31")
    one.buys(1, "2026-12-31", recorded="2027-01-02")
    assert one.level("2027-01-03") == ("silver", "2027-12-31")
    assert one.history == [("silver", "QUALIFIED", "2027-01-02")]
    # Reached in 2026 it is reviewed by 2027, of which the new order is no part.
    assert one.level("2028-01-01") == ("base", None)


# Reviews.


@pytest.mark.parametrize(
    ("rules", "review", "kept_through"),
    [(ROLLING, "2027-03-11", "2028-03-10"), (CALENDAR, "2028-01-01", "2028-12-31")],
    ids=["rolling", "calendar"],
)
def test_what_gained_a_level_does_not_keep_it_as_well(
    rules: LevelRules, review: str, kept_through: str
) -> None:
    idle, busy = Someone(rules), Someone(rules)
    for one in (idle, busy):
        one.buys(1_500, "2026-03-10")
    idle.buys(999, "2027-02-01")
    busy.buys(1_000, "2027-02-01")
    assert idle.level(review) == ("base", None)
    assert busy.level(review) == ("silver", kept_through)


def test_a_level_falls_to_what_its_own_period_reached() -> None:
    one = Someone(ROLLING)
    one.buys(5_000, "2026-03-10")
    one.buys(1_200, "2026-12-01")
    assert one.level("2027-03-11") == ("silver", "2028-03-10")
    assert one.history[-1] == ("silver", "LOWERED", "2027-03-11")
    assert one.level("2028-03-11") == ("base", None)


def test_a_level_falls_to_a_lower_one_that_is_still_held() -> None:
    one = Someone(ROLLING)
    one.buys(1_000, "2026-03-10")
    one.buys(4_000, "2026-12-10")
    assert one.level("2026-12-11") == ("gold", "2027-12-10")
    # Silver was renewed in March by what gained gold; gold itself was not kept by that.
    assert one.level("2027-12-10") == ("gold", "2027-12-10")
    assert one.level("2027-12-11") == ("silver", "2028-03-10")
    assert one.level("2028-03-11") == ("base", None)
    assert [to for to, _, _ in one.history] == ["silver", "gold", "silver", "base"]


def test_a_review_that_is_late_decides_as_of_its_day() -> None:
    late, punctual = Someone(ROLLING_GRACE), Someone(ROLLING_GRACE)
    for one in (late, punctual):
        one.buys(5_000, "2026-03-10")
        one.buys(1_000, "2026-10-01")
    for day in ("2027-03-11", "2027-03-31", "2028-03-11", "2028-03-31"):
        punctual.level(day)
    assert late.level("2029-01-01") == punctual.level("2029-01-01") == ("base", None)
    assert late.history == punctual.history
    assert late.history[1:] == [
        ("silver", "LOWERED", "2027-03-31"),
        ("base", "LOWERED", "2028-03-31"),
    ]


# Grace.


def test_grace_lets_a_level_go_on_and_what_is_earned_meanwhile_renews_it() -> None:
    one = Someone(ROLLING_GRACE)
    one.buys(1_000, "2026-03-10")
    one.buys(900, "2026-12-01")
    assert one.level("2027-03-11") == ("silver", "2027-03-10")
    one.buys(99, "2027-03-29")
    assert one.level("2027-03-30") == ("silver", "2027-03-10")
    one.buys(1, "2027-03-30")
    # From the day on which the term ended, as if there had been no grace.
    assert one.level("2027-03-31") == ("silver", "2028-03-10")
    assert [why for _, why, _ in one.history] == ["QUALIFIED"]


def test_at_the_end_of_grace_a_level_falls() -> None:
    one = Someone(ROLLING_GRACE)
    one.buys(5_000, "2026-03-10")
    one.buys(999, "2026-12-01")
    one.buys(1, "2027-03-30")
    assert one.level("2027-03-30") == ("gold", "2027-03-10")
    assert one.level("2027-03-31") == ("silver", "2028-03-10")
    assert one.history[-1] == ("silver", "LOWERED", "2027-03-31")


def test_grace_of_calendar_years_counts_the_first_days_of_the_next() -> None:
    one = Someone(CALENDAR_GRACE)
    one.buys(1_000, "2026-05-01")
    one.buys(600, "2027-05-01")
    assert one.level("2028-01-20") == ("silver", "2027-12-31")
    one.buys(400, "2028-01-20")
    assert one.level("2028-01-21") == ("silver", "2028-12-31")


# Up and down the same day.


def test_a_level_is_lost_and_reached_again_on_one_day() -> None:
    one = Someone(ROLLING)
    one.buys(1_000, "2026-03-10")
    one.buys(1_000, "2027-03-11")
    assert one.level("2027-03-12") == ("silver", "2028-03-11")
    assert one.history == [
        ("silver", "QUALIFIED", "2026-03-10"),
        ("base", "LOWERED", "2027-03-11"),
        ("silver", "QUALIFIED", "2027-03-11"),
    ]


def test_a_level_that_was_reached_is_refunded_on_the_same_day() -> None:
    one = Someone(ROLLING)
    one.buys(1_000, "2026-03-10")
    one.is_refunded(1_000, "2026-03-10", on="2026-03-10")
    assert one.level("2026-03-11") == ("base", None)
    assert [to for to, _, _ in one.history] == ["silver", "base"]


# Refunds.


def test_a_refund_takes_a_level_that_rested_on_it_and_leaves_the_one_below() -> None:
    one = Someone(ROLLING)
    one.buys(1_000, "2026-03-10")
    one.buys(4_000, "2026-12-10")
    one.is_refunded(4_000, "2026-12-10", on="2026-12-20")
    # Silver as gold became it, kept as long as gold was.
    assert one.level("2026-12-21") == ("silver", "2027-12-10")
    assert one.history[-1] == ("silver", "REFUNDED", "2026-12-20")


def test_what_was_bought_since_helps_to_keep_a_level_that_is_refunded() -> None:
    one = Someone(ROLLING)
    one.buys(1_000, "2026-03-10")
    one.buys(300, "2026-09-01")
    one.is_refunded(300, "2026-03-10", on="2026-10-01")
    assert one.level("2026-10-02") == ("silver", "2027-03-10")
    one.is_refunded(1, "2026-09-01", on="2026-10-03")
    assert one.level("2026-10-04") == ("base", None)


def test_a_refund_after_a_downgrade_lowers_only_what_rests_on_it() -> None:
    one = Someone(ROLLING)
    one.buys(5_000, "2026-03-10")
    one.buys(1_200, "2026-12-01")
    assert one.level("2027-03-11") == ("silver", "2028-03-10")
    # What gained gold is over: silver rests on what its review counted.
    one.is_refunded(5_000, "2026-03-10", on="2027-03-12")
    assert one.level("2027-03-13") == ("silver", "2028-03-10")
    one.is_refunded(201, "2026-12-01", on="2027-03-14")
    assert one.level("2027-03-15") == ("base", None)


def test_a_refund_of_what_left_the_window_before_the_level_was_reached_takes_nothing() -> None:
    one = Someone(ROLLING)
    one.buys(900, "2025-01-10")
    one.buys(1_000, "2026-03-10")
    one.is_refunded(900, "2025-01-10", on="2026-04-01")
    assert one.level("2026-04-02") == ("silver", "2027-03-10")


def test_a_level_is_held_against_what_it_asked_when_it_was_reached() -> None:
    one = Someone(ROLLING)
    one.buys(1_100, "2026-03-10")
    dearer = (BASE, replace(SILVER, threshold=2_000))
    after = Someone(ROLLING, levels=dearer)
    after.career.terms, after.career.days = one.career.terms, one.career.days
    after.career.code = "silver"
    after.is_refunded(100, "2026-03-10", on="2026-04-01")
    assert after.level("2026-04-02") == ("silver", "2027-03-10")
    after.is_refunded(1, "2026-03-10", on="2026-04-03")
    assert after.level("2026-04-04") == ("base", None)


# Grants, and what came along.


def granted(one: Someone, code: str, *, on: str, until: str) -> Term:
    term = Term(
        id=UUID(int=9),
        level_code=code,
        kind=TermKind.GRANTED,
        since=noon(on),
        keep_until=midnight(until),
        keep_after_day=noon(on).date(),
        basis_after_day=noon(on).date(),
        asked=Criteria(),
        reason="sorry",
    )
    one.career.settle(now=noon(on))
    one.career.add(term, because=Because.GRANTED, at=noon(on))
    return term


def test_what_is_earned_under_a_grant_holds_when_it_ends() -> None:
    one = Someone(ROLLING)
    granted(one, "gold", on="2026-03-10", until="2026-06-01")
    one.buys(1_000, "2026-04-10")
    assert one.level("2026-05-31") == ("gold", "2026-05-31")
    assert one.level("2026-06-01") == ("silver", "2027-04-10")
    assert one.history == [
        ("gold", "GRANTED", "2026-03-10"),
        ("silver", "GRANT_ENDED", "2026-06-01"),
    ]


def test_a_grant_is_never_below_what_was_earned_and_no_refund_takes_it() -> None:
    one = Someone(ROLLING)
    one.buys(5_000, "2026-03-10")
    granted(one, "silver", on="2026-03-11", until="2026-06-01")
    assert one.level("2026-03-12")[0] == "gold"
    one.is_refunded(5_000, "2026-03-10", on="2026-03-13")
    assert one.level("2026-03-14") == ("silver", "2026-05-31")
    assert one.level("2026-06-01") == ("base", None)


def test_nobody_is_told_that_a_grant_ends() -> None:
    one = Someone(replace(ROLLING, notice_days=30))
    granted(one, "gold", on="2026-03-10", until="2026-06-01")
    assert one.level("2026-05-20")[0] == "gold"
    assert one.career.risks == []


# Notices.


def test_a_member_whose_level_would_fall_is_told_once() -> None:
    one = Someone(replace(ROLLING, notice_days=30, grace_days=10))
    one.buys(1_000, "2026-03-10")
    assert one.career.next_review_at == midnight("2027-02-09")
    one.level("2027-02-09")
    [risk] = one.career.risks
    assert (risk.level_code, risk.keep_until, risk.falls_at) == (
        "silver",
        midnight("2027-03-11"),
        midnight("2027-03-21"),
    )
    one.career.risks.clear()
    one.level("2027-03-10")
    assert one.career.risks == []


def test_nobody_is_told_whose_level_is_kept_or_whose_time_is_over() -> None:
    kept, over = (Someone(replace(ROLLING, notice_days=30)) for _ in range(2))
    for one in (kept, over):
        one.buys(1_000, "2026-03-10")
    kept.buys(1_000, "2026-03-11")
    kept.level("2027-02-10")
    assert kept.career.risks == []
    over.level("2027-04-01")
    assert (over.career.risks, over.career.code) == ([], "base")


def test_nobody_is_told_of_a_level_below_their_own() -> None:
    one = Someone(replace(ROLLING, notice_days=30))
    one.buys(1_000, "2026-03-10")
    one.is_refunded(900, "2026-03-10", on="2026-03-11")
    one.buys(1_000, "2026-03-20")
    one.buys(4_000, "2026-12-10")
    one.level("2027-11-20")
    assert [risk.level_code for risk in one.career.risks] == ["gold"]


# Criteria.


def test_all_that_a_level_asks_or_any_of_it() -> None:
    asked = {"threshold": 100, "amount_fen": 5_000, "purchases": 2}
    for match, reached in ((Match.ALL, "base"), (Match.ANY, "silver")):
        levels = (BASE, LevelDefinition(**{**told(SILVER), **asked, "match": match}))  # type: ignore[arg-type]
        one = Someone(ROLLING, levels=levels)
        one.buys(99, "2026-03-10", fen=5_000)
        assert one.career.code == reached
        one.buys(1, "2026-03-11")
        assert one.career.code == "silver"


def told(level: LevelDefinition) -> dict[str, object]:
    return {"code": level.code, "rank": level.rank, "name_zh": "银", "name_en": "Silver"}


def test_what_is_not_asked_does_not_matter() -> None:
    levels = (BASE, replace(SILVER, threshold=0, purchases=2))
    one = Someone(LevelRules(window=CalendarYear(), notice_days=0), levels=levels)
    one.buys(100_000, "2026-03-10")
    assert one.career.code == "base"
    one.buys(0, "2026-03-11")
    assert one.career.code == "silver"
