"""Two members of staff who define the same at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from domain import tiers
from domain.errors import InvalidInput
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
