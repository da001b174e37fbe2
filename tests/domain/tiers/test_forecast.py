"""The forecast of levels that staff granted, beside what is earned; on both databases."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest

from domain import tiers
from domain.tiers import CalendarYear, LevelRules, Rolling, set_level_rules
from tests.domain.ledger.commands import NOW
from tests.domain.tiers.evaluated import bought, codes, granted, joined, kept_until, local, settled
from tests.domain.tiers.levels import SHANGHAI, three_levels

pytestmark = pytest.mark.usefixtures("_levels")


@pytest.fixture
async def _levels(database: str) -> None:
    await three_levels()


async def missing(member_id: UUID, *, at: datetime) -> tuple[int, bool, datetime | None]:
    """How many points are missing to keep the level, whether it is kept, and when it falls."""
    found = await tiers.standing(member_id, zone=SHANGHAI, now=at)
    assert found is not None
    forecast = await tiers.forecast(member_id, zone=SHANGHAI, now=at)
    return found.progress.points_to_keep, forecast.keeps_level, forecast.level_at_risk_at


@pytest.mark.parametrize("window", [Rolling(12), CalendarYear()])
async def test_what_was_bought_under_a_grant_is_not_missing_to_earn_it(
    window: Rolling | CalendarYear,
) -> None:
    await set_level_rules(LevelRules(window=window), now=NOW)
    [member] = await joined("a")
    await bought(member, 900, at=local("2026-03-01 12:00"))
    until, noon = local("2026-04-01"), local("2026-03-20 12:00")
    await granted(member, "gold", until=until)
    await bought(member, 3_900, at=noon)
    assert await missing(member, at=noon) == (200, False, until)
    await bought(member, 199, at=noon)
    assert await missing(member, at=noon) == (1, False, until)
    await bought(member, 1, at=noon)
    kept = await kept_until(member)
    assert kept is not None
    assert kept > until
    assert await missing(member, at=noon) == (5_000, False, kept), "for the term after this one"
    await settled(until)
    assert (await codes(member), await kept_until(member)) == (["gold"], kept)


async def test_a_grant_that_outlasts_what_was_earned_leaves_its_review_to_be_told() -> None:
    [member] = await joined("a")
    await bought(member, 5_000, at=local("2026-03-01 12:00"))
    until = local("2028-06-01")
    await granted(member, "gold", until=until)
    later = local("2026-09-01 12:00")
    await bought(member, 4_999, at=later)
    assert await missing(member, at=later) == (1, False, until)
    await bought(member, 1, at=later)
    assert await missing(member, at=later) == (0, True, None)
    await settled(local("2027-03-02"))
    await settled(local("2028-03-02"))
    assert await missing(member, at=local("2028-03-02 12:00")) == (5_000, False, until)
