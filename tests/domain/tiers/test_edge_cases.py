"""The edge cases of levels that docs/levels.md lists, each by itself; on both databases."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from domain import ledger, tiers
from domain.storage import execute, transaction
from domain.tiers import CalendarYear, LevelRules, Rolling, set_level_rules
from tests.domain.ledger.commands import NOW, redeem
from tests.domain.tiers.evaluated import (
    bought,
    codes,
    evaluated,
    granted,
    history,
    item,
    joined,
    kept_until,
    local,
    refunded,
    settled,
)
from tests.domain.tiers.levels import SHANGHAI, three_levels
from tests.repository.tree import ROOT

MOMENT = timedelta(microseconds=1)
CALENDAR = LevelRules(window=CalendarYear())


@pytest.fixture
async def _levels(database: str) -> None:
    await three_levels()


LEVELS = pytest.mark.usefixtures("_levels")


@LEVELS
async def test_a_level_reached_on_29_february_holds_through_28_february() -> None:
    [member] = await joined("a")
    await bought(member, 1_000, at=local("2028-02-29 12:00"))
    assert await kept_until(member) == local("2029-03-01")
    await bought(member, 1_000, at=local("2029-02-28 23:59"))
    await settled(local("2029-03-01"))
    # From the 28th on: it is the 28th for ever, also in leap years.
    assert await kept_until(member) == local("2030-03-01")
    await bought(member, 1_000, at=local("2030-02-28 12:00"))
    await bought(member, 1_000, at=local("2031-02-28 12:00"))
    await settled(local("2031-03-01"))
    assert await kept_until(member) == local("2032-02-29")


@LEVELS
async def test_a_window_that_ends_on_29_february_begins_on_1_march() -> None:
    early, late = await joined("early", "late")
    await bought(early, 500, at=local("2027-02-28 23:59"))
    await bought(late, 500, at=local("2027-03-01"))
    for member in (early, late):
        await bought(member, 500, at=local("2028-02-29 12:00"))
    assert await codes(early, late) == ["base", "silver"]


@LEVELS
async def test_the_last_moment_of_the_last_day_counts() -> None:
    in_time, late = await joined("in-time", "late")
    for member in (in_time, late):
        await bought(member, 1_000, at=local("2026-03-01 12:00"))
    midnight = local("2027-03-02")
    await bought(in_time, 1_000, at=midnight - MOMENT)
    assert await settled(midnight - MOMENT) == 1, "the notice of the other"
    await settled(midnight)
    await bought(late, 999, at=midnight)
    assert await codes(in_time, late) == ["silver", "base"]


@LEVELS
async def test_up_and_down_on_the_same_day() -> None:
    [member] = await joined("a")
    await bought(member, 1_000, at=local("2026-03-01 12:00"))
    midnight = local("2027-03-02")
    await settled(midnight)
    noon = local("2027-03-02 12:00")
    await bought(member, 1_000, at=noon)
    evening = local("2027-03-02 20:00")
    await refunded(member, 1_000, at=noon, now=evening)
    assert await history(member) == [
        ("base", "silver", "QUALIFIED", local("2026-03-01 12:00")),
        ("silver", "base", "LOWERED", midnight),
        ("base", "silver", "QUALIFIED", noon),
        ("silver", "base", "REFUNDED", evening),
    ]


@LEVELS
async def test_a_refund_after_the_level_fell_takes_nothing_more() -> None:
    [member] = await joined("a")
    bought_at = local("2026-03-01 12:00")
    await bought(member, 5_000, at=bought_at)
    await bought(member, 1_000, at=local("2027-02-01 12:00"))
    await settled(local("2027-03-02"))
    assert await codes(member) == ["silver"]
    before = await history(member)
    await refunded(member, 5_000, at=bought_at, now=local("2027-03-10 12:00"))
    assert await history(member) == before
    assert await kept_until(member) == local("2028-03-02")


@LEVELS
async def test_a_refund_of_what_a_level_does_not_rest_on_takes_nothing() -> None:
    [member] = await joined("a")
    old = local("2025-01-01 12:00")
    await bought(member, 900, at=old)
    await bought(member, 1_000, at=local("2026-03-01 12:00"))
    await refunded(member, 900, at=old, now=local("2026-03-02 12:00"))
    assert await codes(member) == ["silver"]


@LEVELS
async def test_a_refund_of_one_level_leaves_the_other() -> None:
    [member] = await joined("a")
    await bought(member, 1_000, at=local("2026-03-01 12:00"))
    december = local("2026-12-01 12:00")
    await bought(member, 4_000, at=december)
    assert await codes(member) == ["gold"]
    await refunded(member, 4_000, at=december, now=local("2026-12-05 12:00"))
    assert await codes(member) == ["silver"]
    assert (await history(member))[-1][2] == "REFUNDED"


@LEVELS
async def test_a_purchase_since_then_stands_in_for_one_that_is_refunded() -> None:
    [member] = await joined("a")
    first = local("2026-03-01 12:00")
    await bought(member, 1_000, at=first)
    await bought(member, 1_000, at=local("2026-05-01 12:00"))
    await refunded(member, 1_000, at=first, now=local("2026-06-01 12:00"))
    assert await codes(member) == ["silver"]
    assert await kept_until(member) == local("2027-03-02")


@LEVELS
async def test_a_refund_that_is_more_than_the_day_counts_takes_what_there_is() -> None:
    [member] = await joined("a")
    at = local("2026-03-01 12:00")
    await bought(member, 1_000, at=at)
    await refunded(member, 9_000, at=at, now=local("2026-03-02 12:00"))
    await bought(member, 999, at=local("2026-03-03 12:00"))
    assert await codes(member) == ["base"]
    await bought(member, 1, at=local("2026-03-04 12:00"))
    assert await codes(member) == ["silver"]


@LEVELS
async def test_grace_goes_on_to_its_last_day_and_what_is_bought_in_it_renews_at_once() -> None:
    await set_level_rules(LevelRules(grace_days=14), now=NOW)
    saved, lost = await joined("saved", "lost")
    for member in (saved, lost):
        await bought(member, 1_000, at=local("2026-03-01 12:00"))
    await settled(local("2027-03-02"))
    assert await codes(saved, lost) == ["silver", "silver"]
    last = local("2027-03-16") - MOMENT
    await bought(saved, 1_000, at=last)
    assert await kept_until(saved) == local("2028-03-02"), "from the end of the term, not of grace"
    await settled(last)
    assert await codes(lost) == ["silver"]
    await settled(last + MOMENT)
    assert await codes(saved, lost) == ["silver", "base"]


@LEVELS
async def test_a_refund_in_grace_takes_what_the_level_rested_on() -> None:
    await set_level_rules(LevelRules(grace_days=14), now=NOW)
    [member] = await joined("a")
    at = local("2026-03-01 12:00")
    await bought(member, 1_000, at=at)
    await settled(local("2027-03-02"))
    refund_at = local("2027-03-05 12:00")
    await refunded(member, 1_000, at=at, now=refund_at)
    assert (await history(member))[-1] == ("silver", "base", "REFUNDED", refund_at)


@LEVELS
async def test_a_purchase_after_a_review_that_nobody_ran_finds_it_done() -> None:
    [member] = await joined("a")
    await bought(member, 5_000, at=local("2026-03-01 12:00"))
    later = local("2027-08-01 12:00")
    await bought(member, 1_000, at=later)
    assert (await history(member))[1:] == [
        ("gold", "base", "LOWERED", local("2027-03-02")),
        ("base", "silver", "QUALIFIED", later),
    ]


@LEVELS
async def test_an_order_that_is_recorded_late_counts_on_its_own_day() -> None:
    [member] = await joined("a")
    await bought(member, 900, at=local("2026-03-01 12:00"))
    now = local("2026-08-01 12:00")
    await bought(member, 100, at=local("2025-08-01 23:59"), now=now)
    assert await codes(member) == ["base"]
    await bought(member, 100, at=local("2025-08-02"), now=now)
    assert await codes(member) == ["silver"]
    assert await kept_until(member) == local("2027-08-02"), "reached today"


@LEVELS
async def test_spending_all_points_lowers_nobody() -> None:
    [member] = await joined("a")
    await bought(member, 1_000, at=NOW)
    source = ledger.Source(kind="purchase", reference="order")
    earned = ledger.Earn(
        member_id=member, points=1_000, source=source, effective_at=NOW, expires_at=ledger.NEVER
    )
    await ledger.post([earned, redeem(1_000, member_id=member)], now=NOW)
    assert await evaluated(NOW) == (1, 0)
    assert await codes(member) == ["silver"]


@LEVELS
async def test_a_grant_over_an_earned_level_ends_at_its_moment() -> None:
    [member] = await joined("a")
    await bought(member, 1_000, at=local("2026-03-01 12:00"))
    until = local("2026-04-01 09:30")
    await granted(member, "gold", until=until)
    assert await kept_until(member) == until
    assert await settled(until - MOMENT) == 0
    await settled(until)
    assert await codes(member) == ["silver"]
    assert await kept_until(member) == local("2027-03-02")
    assert (await history(member))[-1] == ("gold", "silver", "GRANT_ENDED", until)


@LEVELS
async def test_a_grant_below_an_earned_level_changes_nothing() -> None:
    [member] = await joined("a")
    await bought(member, 5_000, at=local("2026-03-01 12:00"))
    before = await history(member)
    await granted(member, "silver", until=local("2026-04-01"))
    await settled(local("2026-04-01"))
    assert await history(member) == before


@LEVELS
async def test_what_is_earned_under_a_grant_holds_when_it_ends() -> None:
    [member] = await joined("a")
    await granted(member, "gold", until=local("2026-04-01"))
    await bought(member, 5_000, at=local("2026-03-20 12:00"))
    await settled(local("2026-04-01"))
    assert await codes(member) == ["gold"]
    assert await kept_until(member) == local("2027-03-21")
    assert len(await history(member)) == 1


@LEVELS
async def test_two_records_of_one_person_have_the_higher_level_until_they_are_parted() -> None:
    keeper, other = await joined("keeper", "other")
    await bought(keeper, 600, at=local("2026-03-01 12:00"))
    await bought(other, 1_000, at=local("2026-04-01 12:00"))
    merge = keeper
    now = local("2026-05-01 12:00")
    await transaction(
        lambda: tiers.merge_levels(other, keeper, merge_id=merge, zone=SHANGHAI, now=now)
    )
    assert await codes(keeper) == ["silver"]
    assert await kept_until(keeper) == local("2027-04-02")
    later = local("2026-06-01 12:00")
    await transaction(
        lambda: tiers.part_levels(other, keeper, merge_id=merge, zone=SHANGHAI, now=later)
    )
    assert await codes(keeper, other) == ["base", "silver"]
    assert [one[2] for one in await history(keeper)] == ["MERGED", "PARTED"]


@LEVELS
async def test_a_calendar_year_ends_at_the_programmes_midnight() -> None:
    await set_level_rules(CALENDAR, now=NOW)
    old, new = await joined("old", "new")
    new_year = local("2027-01-01")
    for member in (old, new):
        await bought(member, 500, at=local("2026-06-01 12:00"))
    await bought(old, 500, at=new_year - MOMENT)
    await bought(new, 500, at=new_year)
    assert await codes(old, new) == ["silver", "base"]
    assert await kept_until(old) == local("2028-01-01")


@LEVELS
async def test_last_years_level_is_reached_by_what_is_recorded_late() -> None:
    await set_level_rules(CALENDAR, now=NOW)
    [member] = await joined("a")
    await bought(member, 1_000, at=local("2026-12-31 12:00"), now=local("2027-01-02 12:00"))
    assert await codes(member) == ["silver"]
    assert await kept_until(member) == local("2028-01-01")
    await settled(local("2028-01-01"))
    assert await codes(member) == ["base"], "the year 2027 was reviewed"


@LEVELS
async def test_rules_that_change_leave_what_was_promised() -> None:
    [member] = await joined("a")
    await bought(member, 1_000, at=local("2026-03-01 12:00"))
    await set_level_rules(LevelRules(window=Rolling(3)), now=NOW)
    assert await evaluated(local("2026-03-02")) == (1, 0)
    assert await kept_until(member) == local("2027-03-02")
    await bought(member, 1_000, at=local("2027-02-01 12:00"))
    await settled(local("2027-03-02"))
    assert await kept_until(member) == local("2027-06-02"), "the next term is by the new rules"


@LEVELS
async def test_a_level_that_asks_less_lifts_and_one_that_asks_more_waits() -> None:
    below, above = await joined("below", "above")
    await bought(below, 900, at=local("2026-03-01 12:00"))
    await bought(above, 5_000, at=local("2026-03-01 12:00"))
    await execute("UPDATE level SET threshold = 900 WHERE code = 'silver'")
    await execute("UPDATE level SET threshold = 6000 WHERE code = 'gold'")
    assert await evaluated(local("2026-03-02")) == (2, 1)
    assert await codes(below, above) == ["silver", "gold"]
    assert (await history(below))[-1][2] == "REDEFINED"


@LEVELS
async def test_a_day_of_25_hours_is_one_day() -> None:
    zone = ZoneInfo("America/New_York")
    [member] = await joined("a")
    # The clocks go back in the night of 1 November 2026: that day ends an hour later.
    last = local("2026-11-02", zone=zone) - MOMENT
    await bought(member, 1_000, at=last, zone=zone)
    assert await kept_until(member) == local("2027-11-02", zone=zone)
    await settled(local("2027-11-02", zone=zone) - MOMENT, zone=zone)
    assert await codes(member) == ["silver"]
    await settled(local("2027-11-02", zone=zone), zone=zone)
    assert await codes(member) == ["base"]


@LEVELS
async def test_one_order_is_enough_for_several_levels() -> None:
    [member] = await joined("a")
    at = local("2026-03-01 12:00")
    await bought(member, 5_000, at=at)
    assert await history(member) == [("base", "gold", "QUALIFIED", at)]


@LEVELS
async def test_an_order_without_points_counts_by_what_was_paid() -> None:
    [member] = await joined("a")
    await execute(
        "UPDATE level SET threshold = 0, amount_fen = 10000, purchases = 2 WHERE code = 'silver'"
    )
    await bought(member, 0, at=local("2026-03-01 12:00"), amount_fen=10_000)
    assert await codes(member) == ["base"]
    await bought(member, 0, at=local("2026-03-02 12:00"), amount_fen=1)
    assert await codes(member) == ["silver"]
    part = [item(member, 0, at=local("2026-03-01 12:00"), amount_fen=2, purchases=0)]
    now = local("2026-03-03 12:00")
    await transaction(lambda: tiers.disqualify(part, zone=SHANGHAI, now=now))
    assert await codes(member) == ["base"]


# The table of the page.

PATH = ROOT / "tests" / "domain" / "tiers" / "test_edge_cases.py"
TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


def test_each_edge_case_of_the_page_has_its_test() -> None:
    page = (ROOT / "docs" / "levels.md").read_text()
    section = page.partition("\n## Edge cases\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!case|-).* \| (.*) \|$", section, re.MULTILINE)
    tests = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert len(rows) >= 30
    assert [row for row, names in zip(rows, tests, strict=True) if not names] == []
    named = [name for names in tests for name in names]
    texts = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    known = {name for text in texts for name in TEST.findall(text)}
    assert [name for name in named if name not in known] == []
    elsewhere = re.findall(r"`(tests/[\w/.]+)::(test_\w+)`", page)
    assert [
        one for one in elsewhere if one[1] not in TEST.findall((ROOT / one[0]).read_text())
    ] == []
    own = set(TEST.findall(PATH.read_text())) - {"test_each_edge_case_of_the_page_has_its_test"}
    assert own - set(named) == set(), "each test here is told of"
