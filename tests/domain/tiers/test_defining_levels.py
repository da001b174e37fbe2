"""Staff defines and changes levels, which always make sense together; on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from domain import audit, tiers
from domain.errors import (
    DefinitionChanged,
    InvalidInput,
    LevelExists,
    LevelsOutOfOrder,
    LevelUnknown,
    Refusal,
)
from domain.paging import PageRequest
from domain.tiers import ChangeLevel, DefinedLevel, LevelDefinition, Match, Rolling
from domain.tiers.defining_levels import check_ladder
from tests.domain.ledger.commands import NOW
from tests.domain.rewards.counter import CLERK
from tests.domain.tiers.levels import BASE, GOLD, LEVELS, SILVER, level, three_levels
from tests.graphql.kept import everything_kept

AMBER = level("amber", 2, 2_000)


async def define(one: LevelDefinition) -> DefinedLevel:
    return await tiers.define_level(one, by=CLERK, now=NOW)


async def change(code: str, version: int = 1, **changes: Any) -> DefinedLevel:
    command = ChangeLevel(code=code, version=version, changes=changes)
    return await tiers.change_level(command, by=CLERK, now=NOW)


async def told() -> list[tuple[str, str, str | None, str | None]]:
    rows = (await audit.entries(PageRequest(first=50))).items
    return [
        (row.action, row.target.id, row.before, row.after)
        for row in reversed(rows)
        if row.target is not None
    ]


@pytest.mark.usefixtures("database")
async def test_levels_are_defined_from_the_base_upwards_and_between_others() -> None:
    for one in LEVELS:
        assert await define(one) == DefinedLevel(definition=one, version=1)
    assert await define(AMBER) == DefinedLevel(definition=AMBER, version=1)
    # Gold moved up, and stands at the version at which it was read.
    moved = replace(GOLD, rank=3)
    assert await tiers.defined_levels() == [
        DefinedLevel(definition=one, version=1) for one in (BASE, SILVER, AMBER, moved)
    ]
    assert await tiers.read_levels() == [BASE, SILVER, AMBER, moved]
    assert [row[:2] for row in await told()] == [
        ("level.define", "base"),
        ("level.define", "silver"),
        ("level.define", "gold"),
        ("level.define", "amber"),
        ("level.change", "gold"),
    ]
    assert (await told())[-1][2:] == ('{"rank":2}', '{"rank":3}')


@pytest.mark.usefixtures("database")
async def test_the_same_definition_again_changes_nothing_and_another_is_refused() -> None:
    await three_levels()
    assert await define(SILVER) == DefinedLevel(definition=SILVER, version=1)
    before = await everything_kept()
    with pytest.raises(LevelExists):
        await define(replace(SILVER, threshold=1_001))
    assert await everything_kept() == before


@pytest.mark.usefixtures("database")
async def test_a_change_is_versioned_and_told_with_before_and_after() -> None:
    await three_levels()
    made = await change("gold", amount_fen=500_000, match=Match.ANY)
    assert made == DefinedLevel(
        definition=replace(GOLD, amount_fen=500_000, match=Match.ANY), version=2
    )
    assert made in await tiers.defined_levels()
    assert (await told())[-1] == (
        "level.change",
        "gold",
        '{"amount_fen":null,"match":"ALL","version":1}',
        '{"amount_fen":500000,"match":"ANY","version":2}',
    )
    # Nothing new: no new version.
    assert await change("gold", 2, amount_fen=500_000) == made
    before = await everything_kept()
    with pytest.raises(DefinitionChanged) as refused:
        await change("gold", 1, threshold=1)
    assert refused.value.version == 2
    with pytest.raises(LevelUnknown):
        await change("emperor", 1, threshold=1)
    assert await everything_kept() == before


@pytest.mark.usefixtures("database")
async def test_of_two_who_change_a_level_at_once_one_is_refused() -> None:
    await three_levels()
    found = await asyncio.gather(
        *(change("gold", threshold=threshold) for threshold in (6_000, 7_000)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in found) == ["DefinedLevel", "DefinitionChanged"]


@pytest.mark.usefixtures("database")
async def test_all_levels_are_set_at_once() -> None:
    """One by one they would contradict each other on the way."""
    await three_levels()
    silver, gold = replace(SILVER, threshold=6_000), replace(GOLD, threshold=7_000, rank=3)
    amber = replace(AMBER, threshold=6_500)
    made = await tiers.set_levels([BASE, silver, amber, gold], by=CLERK, now=NOW)
    assert [(one.definition, one.version) for one in made] == [
        (BASE, 1),
        (silver, 2),
        (amber, 1),
        (gold, 2),
    ]
    assert await tiers.defined_levels() == list(made)
    before = await everything_kept()
    assert await tiers.set_levels([BASE, silver, amber, gold], by=CLERK, now=NOW) == list(made)
    with pytest.raises(InvalidInput) as refused:
        await tiers.set_levels([BASE, silver, replace(gold, rank=2)], by=CLERK, now=NOW)
    assert (refused.value.field, refused.value.rule) == (
        ("levels",),
        "every level that there is: amber",
    )
    assert await everything_kept() == before


WRONG: list[tuple[LevelDefinition, type[Refusal], str]] = [
    (replace(AMBER, code="a b"), InvalidInput, "code"),
    (replace(AMBER, name_zh=""), InvalidInput, "name_zh"),
    (replace(AMBER, name_en="x" * 101), InvalidInput, "name_en"),
    (replace(AMBER, rank=4), InvalidInput, "rank"),
    (replace(AMBER, rank=-1), InvalidInput, "rank"),
    (replace(AMBER, threshold=2**53), InvalidInput, "threshold"),
    (replace(AMBER, amount_fen=0), InvalidInput, "amount"),
    (replace(AMBER, purchases=0), InvalidInput, "purchases"),
    (replace(AMBER, threshold=0), InvalidInput, "threshold"),
    # A second base: the one that was moves up, and asks nothing.
    (replace(AMBER, rank=0, threshold=0), InvalidInput, "threshold"),
    (replace(AMBER, rank=0), InvalidInput, "threshold"),
    (replace(AMBER, threshold=900), LevelsOutOfOrder, "threshold"),
    (replace(AMBER, threshold=1_000), LevelsOutOfOrder, "threshold"),
    (replace(AMBER, threshold=5_001), LevelsOutOfOrder, "threshold"),
    # Who has 1,000 points for silver has one of the two.
    (replace(AMBER, threshold=1_000, purchases=3, match=Match.ANY), LevelsOutOfOrder, "threshold"),
]


@pytest.mark.usefixtures("database")
async def test_a_level_that_breaks_a_rule_is_refused() -> None:
    await three_levels()
    before = await everything_kept()
    for wrong, refusal, field in WRONG:
        with pytest.raises(refusal) as refused:
            await define(wrong)
        assert refused.value.field == (field,), wrong
    assert await everything_kept() == before


@pytest.mark.parametrize(
    "levels",
    [
        [replace(SILVER, threshold=0, purchases=3), GOLD],
        # Silver by points, gold by points or by what was paid.
        [SILVER, replace(GOLD, amount_fen=1_000_000, match=Match.ANY)],
        [SILVER, replace(GOLD, threshold=1_000, purchases=2)],
        [replace(SILVER, purchases=9, match=Match.ANY), replace(GOLD, purchases=9)],
    ],
)
def test_levels_may_ask_for_different_things(levels: list[LevelDefinition]) -> None:
    check_ladder([BASE, *levels])


@pytest.mark.parametrize(
    ("levels", "field"),
    [
        ([replace(SILVER, purchases=9), replace(GOLD, purchases=8)], "purchases"),
        ([replace(SILVER, amount_fen=9), replace(GOLD, amount_fen=8)], "amount"),
        # Whoever has both, for silver, has the one, for gold.
        ([replace(SILVER, purchases=9), replace(GOLD, threshold=0, purchases=9)], "threshold"),
    ],
)
def test_no_level_asks_for_less_than_one_below_it(
    levels: list[LevelDefinition], field: str
) -> None:
    with pytest.raises(LevelsOutOfOrder) as refused:
        check_ladder([BASE, *levels])
    assert (refused.value.level, refused.value.below) == ("gold", "silver")
    assert refused.value.field == (field,)


@pytest.mark.usefixtures("database")
async def test_the_rules_of_levels_are_changed_by_version() -> None:
    await three_levels()
    rules = tiers.LevelRules(window=tiers.CalendarYear(), grace_days=30, notice_days=14)
    made = await tiers.change_level_rules(rules, by=CLERK, now=NOW)
    assert made == replace(rules, version=1) == await tiers.level_rules()
    # Nothing new: no new version.
    assert await tiers.change_level_rules(made, by=CLERK, now=NOW) == made
    assert (await told())[0] == (
        "level_rules.change",
        "1",
        '{"grace_days":0,"months":12,"notice_days":30,"version":0,"window":"ROLLING"}',
        '{"grace_days":30,"months":null,"notice_days":14,"version":1,"window":"CALENDAR_YEAR"}',
    )
    before = await everything_kept()
    with pytest.raises(DefinitionChanged) as refused:
        await tiers.change_level_rules(replace(rules, grace_days=1), by=CLERK, now=NOW)
    assert refused.value.version == 1
    for wrong, field in (
        (replace(made, window=Rolling(0)), "months"),
        (replace(made, grace_days=-1), "grace_days"),
        (replace(made, notice_days=181), "notice_days"),
    ):
        with pytest.raises(InvalidInput) as invalid:
            await tiers.change_level_rules(wrong, by=CLERK, now=NOW)
        assert invalid.value.field == (field,)
    assert await everything_kept() == before


@pytest.mark.usefixtures("database")
async def test_of_two_who_change_the_rules_at_once_one_is_refused() -> None:
    await three_levels()
    found = await asyncio.gather(
        *(
            tiers.change_level_rules(tiers.LevelRules(grace_days=days), by=CLERK, now=NOW)
            for days in (1, 2)
        ),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in found) == ["DefinitionChanged", "LevelRules"]
