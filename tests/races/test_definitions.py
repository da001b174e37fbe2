"""Two members of staff who define the same at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from domain import feedback, tiers
from domain.errors import DefinitionChanged, InvalidInput
from domain.feedback import Cause, Topic
from domain.storage import fetch_all
from domain.tiers import DefinedPerk
from tests.domain.ledger.commands import NOW
from tests.domain.rewards.counter import CLERK
from tests.domain.tiers.levels import LEVELS
from tests.domain.tiers.test_defining_perks import CAKE
from tests.races.contention import Gate

DISCOUNT = replace(CAKE, id=UUID(int=2), level_code="silver", kind="DISCOUNT", value="0.9")


async def both_defined(gate: Gate) -> list[str]:
    """What came of two perks of one code, of two kinds, for two levels; neither sees the other."""
    await tiers.define_levels(LEVELS, perks=[], now=NOW)
    # Perks are read, and nobody writes any.
    await gate.hold("LOCK TABLE perk IN SHARE MODE")
    both = asyncio.gather(
        *(tiers.define_perk(one, by=CLERK, now=NOW) for one in (CAKE, DISCOUNT)),
        return_exceptions=True,
    )
    await gate.open(waiting=2)
    return sorted(type(one).__name__ for one in await both)


async def test_a_code_is_given_to_one_kind_by_two_who_define_it_at_once(gate: Gate) -> None:
    assert await both_defined(gate) == [DefinedPerk.__name__, InvalidInput.__name__]
    assert len(await tiers.defined_perks()) == 1


async def test_without_the_lock_of_levels_it_would_be_given_to_two(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the levels are read without a lock."""

    async def unlocked(sql: str, *values: Any) -> Any:
        return await fetch_all(sql.removesuffix(" FOR NO KEY UPDATE"), *values)

    monkeypatch.setattr("domain.tiers.defining_perks.fetch_all", unlocked)
    assert await both_defined(gate) == [DefinedPerk.__name__] * 2


TOPIC = Topic(code="delivery", name_zh="配送", name_en="Delivery")
CAUSE = Cause(code="late", topic=None, name_zh="晚到", name_en="Came late")


async def define(one: Topic | Cause) -> Topic | Cause:
    if isinstance(one, Topic):
        return await feedback.define_topic(one, by=CLERK, now=NOW)
    return await feedback.define_cause(one, by=CLERK, now=NOW)


@pytest.mark.parametrize(
    ("table", "first"),
    [("feedback_topic", TOPIC), ("feedback_cause", CAUSE)],
    ids=["topic", "cause"],
)
async def test_of_two_who_define_something_new_at_once_one_is_told_of_the_other(
    gate: Gate, table: str, first: Topic | Cause
) -> None:
    # The table is read, also for a change, and nobody writes to it.
    await gate.hold(f"LOCK TABLE {table} IN SHARE MODE")
    both = asyncio.gather(
        *(define(replace(first, name_en=name)) for name in ("Mine", "Yours")),
        return_exceptions=True,
    )
    await gate.open(waiting=2)
    [made] = [one for one in await both if isinstance(one, Topic | Cause)]
    [refused] = [one for one in await both if isinstance(one, DefinitionChanged)]
    assert (made.version, refused.version) == (1, 1)
    kept = await (feedback.topics() if isinstance(first, Topic) else feedback.causes())
    assert list(kept) == [made]
    told = await fetch_all("SELECT action FROM audit_entry WHERE action = $1", f"{table}.define")
    assert len(told) == 1
