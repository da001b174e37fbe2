"""The levels of two records: the higher is kept, their days are counted together, until parted."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import pytest

from domain.paging import PageRequest
from domain.storage import fetch_all, transaction
from domain.tiers import (
    Qualifying,
    level_history,
    merge_levels,
    part_levels,
    qualify,
    standing,
)
from tests.domain.ledger.commands import ALICE, BOB, NOW, days
from tests.domain.tiers.levels import SHANGHAI, three_levels

pytestmark = pytest.mark.usefixtures("_levels")

MERGE = UUID(int=77)
LATER = NOW + days(40)
YEAR_LATER = datetime.fromisoformat("2027-03-02T00:00:00+08:00")
LATER_KEPT = datetime.fromisoformat("2027-04-11T00:00:00+08:00")


@pytest.fixture
async def _levels(database: str) -> None:
    await three_levels()


async def counted(member_id: UUID, points: int, *, at: datetime = NOW) -> None:
    item = Qualifying(
        member_id=member_id, points=points, purchases=1, occurred_at=at, source_kind="purchase"
    )
    await transaction(lambda: qualify([item], zone=SHANGHAI, now=at))


async def merged(now: datetime = LATER) -> None:
    await transaction(lambda: merge_levels(BOB, ALICE, merge_id=MERGE, zone=SHANGHAI, now=now))


async def parted(now: datetime = LATER) -> None:
    await transaction(lambda: part_levels(BOB, ALICE, merge_id=MERGE, zone=SHANGHAI, now=now))


async def level(member_id: UUID = ALICE) -> tuple[str, datetime | None, datetime | None]:
    found = await standing(member_id, zone=SHANGHAI, now=LATER)
    assert found is not None
    return found.level.code, found.since, found.keep_until


async def history(member_id: UUID = ALICE) -> list[tuple[str, str, str]]:
    """From, to and why, oldest first."""
    page = await level_history(member_id, PageRequest(first=10))
    told = [
        (one.from_level.code if one.from_level else "", one.to_level.code, one.reason)
        for one in page.items
    ]
    return told[::-1]


async def day_points(member_id: UUID) -> dict[date, tuple[int, int]]:
    rows = await fetch_all(
        "SELECT day, points, purchases FROM qualifying_day WHERE member_id = $1", member_id
    )
    return {row["day"]: (row["points"], row["purchases"]) for row in rows}


async def test_the_higher_level_comes_with_its_dates_and_goes_again() -> None:
    await counted(ALICE, 1_000)
    await counted(BOB, 5_000)
    await merged()
    assert await level() == ("gold", NOW, YEAR_LATER)
    assert await history() == [
        ("base", "silver", "QUALIFIED"),
        ("silver", "gold", "MERGED"),
    ]
    assert await day_points(ALICE) == {date(2026, 3, 1): (6_000, 2)}

    await parted()
    assert await level() == ("silver", NOW, YEAR_LATER)
    assert (await history())[-1] == ("gold", "silver", "PARTED")
    assert await day_points(ALICE) == {date(2026, 3, 1): (1_000, 1)}
    assert (await level(BOB), await history(BOB)) == (
        ("gold", NOW, YEAR_LATER),
        [("base", "gold", "QUALIFIED")],
    )


async def test_one_level_of_both_is_kept_as_long_as_the_longer_was() -> None:
    await counted(ALICE, 1_000)
    await counted(BOB, 1_200, at=LATER)
    await merged()
    assert await level() == ("silver", NOW, LATER_KEPT)
    assert await history() == [("base", "silver", "QUALIFIED")]
    await parted()
    assert await level() == ("silver", NOW, YEAR_LATER)


async def test_days_that_reach_a_level_together_reach_it_and_base_is_base_again() -> None:
    await counted(ALICE, 600)
    await counted(BOB, 400)
    await merged()
    assert await level() == ("silver", LATER, LATER_KEPT)
    await parted()
    assert await level() == ("base", None, None)
    assert await history() == [("base", "silver", "MERGED"), ("silver", "base", "PARTED")]
    # The history goes on counting.
    await counted(ALICE, 400, at=LATER)
    assert (await history())[-1] == ("base", "silver", "QUALIFIED")


async def test_what_was_reached_meanwhile_stays() -> None:
    await counted(BOB, 1_000)
    await merged()
    await counted(ALICE, 5_000, at=LATER)
    assert (await level())[0] == "gold"
    await parted()
    assert (await level())[0] == "gold"
    assert await day_points(ALICE) == {date(2026, 4, 10): (5_000, 1)}


async def test_two_who_never_qualified_stay_so() -> None:
    await merged()
    assert await level() == ("base", None, None)
    await parted()
    assert (await level(), await history()) == (("base", None, None), [])
