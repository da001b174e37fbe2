"""Levels that are kept to the end of the calendar: nothing overflows, and they are no others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain import tiers
from domain.ledger import NEVER
from domain.storage import execute, transaction
from domain.tiers import CalendarYear, LevelRules, OpeningLevel, Rolling, set_level_rules
from domain.tiers.windows import days_later, imported_dates, term_dates
from tests.domain.ledger.commands import NOW
from tests.domain.tiers.evaluated import bought, codes, evaluated, joined, local, settled
from tests.domain.tiers.levels import SHANGHAI, three_levels

WINDOWS = [Rolling(12), Rolling(60), CalendarYear()]
ZONES = [SHANGHAI, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")]
LAST = datetime(9999, 12, 30, tzinfo=UTC)
CHRISTMAS = local("9999-12-25")


async def brought(until: datetime, *, rules: LevelRules) -> UUID:
    """A member who came with silver until then, who bought what gold asks not quite."""
    await three_levels()
    await set_level_rules(rules, now=NOW)
    [member] = await joined("a")
    item = OpeningLevel(member_id=member, code="silver", keep_until=until)
    await transaction(partial(tiers.grant_opening_levels, [item], zone=SHANGHAI, now=NOW))
    return member


@pytest.mark.parametrize("zone", ZONES, ids=lambda zone: zone.key)
@pytest.mark.parametrize("window", WINDOWS, ids=repr)
def test_terms_at_the_end_of_the_calendar_end_never(
    window: Rolling | CalendarYear, zone: ZoneInfo
) -> None:
    rules = LevelRules(window=window, grace_days=180)
    for until in (NEVER, LAST, LAST - timedelta(days=179)):
        assert (
            imported_dates(
                rules, reached_on=date(2026, 3, 1), keep_until=until, zone=zone
            ).keep_until
            == until
        )
        assert days_later(until, 180, zone=zone) == NEVER
        assert until - timedelta(days=32) < days_later(until, -30, zone=zone) < until
    for reached_on in (date.max, date(9999, 12, 30), date(9999, 1, 1)):
        assert term_dates(rules, reached_on=reached_on, zone=zone).keep_until == NEVER
    # One day earlier there is a midnight still.
    ends = term_dates(LevelRules(window=Rolling(12)), reached_on=date(9998, 12, 29), zone=zone)
    assert ends.keep_until < NEVER
    assert ends.keep_until.astimezone(zone).date() == date(9999, 12, 30)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("notice_days", [0, 30])
@pytest.mark.parametrize("grace_days", [0, 180])
@pytest.mark.parametrize("until", [NEVER, LAST, CHRISTMAS])
async def test_a_level_that_came_for_ever_is_foreseen(
    until: datetime, grace_days: int, notice_days: int
) -> None:
    rules = LevelRules(window=CalendarYear(), grace_days=grace_days, notice_days=notice_days)
    member = await brought(until, rules=rules)
    found = await tiers.forecast(member, zone=SHANGHAI, now=NOW)
    falls_at = until if until == CHRISTMAS and grace_days == 0 else None
    assert (found.keeps_level, found.level_at_risk_at) == (falls_at is None, falls_at)
    assert await settled(NOW + timedelta(days=36_500)) == 0
    assert await codes(member) == ["silver"]
    await bought(member, 5_000, at=NOW)
    assert await codes(member) == ["gold"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("notice_days", [0, 30])
async def test_a_walk_lifts_who_keeps_a_level_for_ever(notice_days: int) -> None:
    member = await brought(NEVER, rules=LevelRules(notice_days=notice_days))
    await bought(member, 3_000, at=NOW)
    assert await evaluated(NOW) == (1, 0)
    await execute("UPDATE level SET threshold = 3000 WHERE code = 'gold'")
    assert await evaluated(NOW) == (1, 1)
    assert await codes(member) == ["gold"]
