"""Where a member stands: level, progress and perks, in one statement; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain.paging import PageRequest
from domain.storage import observed_statements, transaction
from domain.tiers import (
    Qualifying,
    Standing,
    define_levels,
    level_codes,
    level_history,
    qualify,
    read_levels,
    standing,
)
from tests.domain.ledger.commands import ALICE, BOB, NOW, days
from tests.domain.tiers.levels import BASE, GOLD, LEVELS, PERKS, SHANGHAI, SILVER, three_levels

pytestmark = pytest.mark.usefixtures("database")


async def stands(member_id: UUID = ALICE, *, now: datetime = NOW) -> Standing:
    with observed_statements() as statements:
        found = await standing(member_id, zone=SHANGHAI, now=now)
    assert len(statements) == 1
    assert found is not None
    return found


async def earns(points: int, *, at: datetime = NOW) -> None:
    item = Qualifying(
        member_id=ALICE, points=points, purchases=1, occurred_at=at, source_kind="purchase"
    )
    await transaction(lambda: qualify([item], zone=SHANGHAI, now=at))


async def test_a_programme_without_levels_has_no_standing() -> None:
    assert await standing(ALICE, zone=SHANGHAI, now=NOW) is None
    assert await read_levels() == []
    assert await level_codes([ALICE]) == {ALICE: ""}
    await earns(10_000)
    assert (await level_history(ALICE, PageRequest(first=5))).items == []


async def test_everyone_begins_at_the_base_with_its_perks() -> None:
    await three_levels()
    found = await stands()
    assert (found.level, found.since, found.keep_until, found.changes) == (BASE, None, None, 0)
    assert (found.progress.qualifying_points, found.progress.points_to_next) == (0, 1_000)
    assert found.progress.next_level == SILVER
    assert found.progress.points_to_keep == 0
    (perk,) = found.perks
    assert (perk.id, perk.code, perk.quota, perk.remaining, perk.resets_at) == (
        UUID(int=1),
        "welcome",
        None,
        None,
        None,
    )


async def test_points_that_gained_a_level_do_not_keep_it_as_well() -> None:
    await three_levels()
    await earns(900)
    assert (await stands()).progress.points_to_next == 100
    await earns(300)
    found = await stands()
    assert (found.level, found.since) == (SILVER, NOW)
    assert found.keep_until == datetime(2027, 3, 1, 16, tzinfo=UTC)
    assert found.progress.qualifying_points == 1_200
    assert (found.progress.next_level, found.progress.points_to_next) == (GOLD, 3_800)
    assert found.progress.points_to_keep == 1_000
    await earns(400, at=NOW + days(30))
    found = await stands(now=NOW + days(30))
    assert (found.progress.qualifying_points, found.progress.points_to_keep) == (1_600, 600)
    # A year later the first day has left the window; the level stays until it is reviewed.
    found = await stands(now=NOW + days(366))
    assert (found.level, found.progress.qualifying_points) == (SILVER, 400)
    assert found.progress.points_to_keep == 600
    assert (await stands(BOB)).level == BASE


async def test_the_highest_level_has_no_next_and_its_perks_in_order() -> None:
    await three_levels()
    await earns(7_000)
    found = await stands()
    assert (found.level, found.changes) == (GOLD, 1)
    assert (found.progress.next_level, found.progress.points_to_next) == (None, None)
    assert found.progress.points_to_keep == 5_000
    assert [(p.code, p.quota, p.remaining, p.resets_at) for p in found.perks] == [
        ("shipping", None, None, None),
        ("cake", 1, 0, None),
        ("event", 1, 1, datetime(2026, 12, 31, 16, tzinfo=UTC)),
        ("call", 3, 3, datetime(2026, 3, 1, 16, tzinfo=UTC)),
    ]


async def test_what_is_defined_stays_when_it_is_defined_again() -> None:
    await three_levels()
    await define_levels(
        [replace(SILVER, name_en="another"), *LEVELS],
        perks=[*PERKS, replace(PERKS[0], code="x")],
        now=NOW,
    )
    assert await read_levels() == [BASE, SILVER, GOLD]
    assert [perk.code for perk in (await stands()).perks] == ["welcome"]
