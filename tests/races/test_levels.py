"""Two members of staff who change levels at once: the ladder makes sense whoever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from domain import tiers
from domain.errors import LevelsOutOfOrder
from domain.tiers import ChangeLevel, DefinedLevel
from domain.tiers.defining_levels import check_ladder
from tests.domain.ledger.commands import NOW
from tests.domain.rewards.counter import CLERK
from tests.domain.tiers.levels import level, three_levels
from tests.races.contention import Gate

UNWRITTEN: Final = "LOCK TABLE level IN SHARE MODE"
"""Levels are read and locked, and nobody writes any."""


async def one_after_the_other(gate: Gate, *doings: Coroutine[Any, Any, DefinedLevel]) -> list[Any]:
    """What came of the doings: the first has locked the levels when the second comes to them."""
    await gate.hold(UNWRITTEN)
    tasks = []
    for waiting, doing in enumerate(doings, start=1):
        tasks.append(asyncio.create_task(doing))
        await gate.gather(waiting=waiting)
    await gate.open(waiting=len(tasks))
    return await asyncio.gather(*tasks, return_exceptions=True)


async def ladder() -> list[tuple[str, int, int]]:
    """Code, rank and threshold of each level, once the whole is checked."""
    levels = [one.definition for one in await tiers.defined_levels()]
    check_ladder(levels)
    return [(one.code, one.rank, one.threshold) for one in levels]


def gold(**changes: Any) -> Coroutine[Any, Any, DefinedLevel]:
    command = ChangeLevel(code="gold", version=1, changes=changes)
    return tiers.change_level(command, by=CLERK, now=NOW)


def new(code: str, rank: int, threshold: int) -> Coroutine[Any, Any, DefinedLevel]:
    return tiers.define_level(level(code, rank, threshold), by=CLERK, now=NOW)


async def test_a_level_that_was_defined_meanwhile_counts_for_what_another_may_ask(
    gate: Gate,
) -> None:
    await three_levels()
    outcomes = await one_after_the_other(
        gate, new("platinum", 3, 10_000), gold(threshold=20_000, name_en="Golden")
    )
    assert isinstance(outcomes[0], DefinedLevel)
    assert isinstance(outcomes[1], LevelsOutOfOrder)
    assert (outcomes[1].level, outcomes[1].below) == ("platinum", "gold")
    assert await ladder() == [
        ("base", 0, 0),
        ("silver", 1, 1_000),
        ("gold", 2, 5_000),
        ("platinum", 3, 10_000),
    ]


async def test_a_level_that_was_moved_meanwhile_is_changed_where_it_is(gate: Gate) -> None:
    await three_levels()
    outcomes = await one_after_the_other(gate, new("bronze", 1, 500), gold(name_en="Golden"))
    assert [type(one) for one in outcomes] == [DefinedLevel, DefinedLevel]
    assert (outcomes[1].definition.rank, outcomes[1].version) == (3, 2)
    assert await ladder() == [
        ("base", 0, 0),
        ("bronze", 1, 500),
        ("silver", 2, 1_000),
        ("gold", 3, 5_000),
    ]


async def test_two_levels_defined_at_once_are_both_there(gate: Gate) -> None:
    await three_levels()
    outcomes = await one_after_the_other(gate, new("bronze", 1, 500), new("copper", 1, 250))
    assert [type(one) for one in outcomes] == [DefinedLevel, DefinedLevel]
    assert [code for code, _, _ in await ladder()] == ["base", "copper", "bronze", "silver", "gold"]
