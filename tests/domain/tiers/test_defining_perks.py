"""Staff gives levels perks, changes and retires them; on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from domain import audit, tiers
from domain.errors import DefinitionChanged, InvalidInput, LevelUnknown, PerkExists, PerkUnknown
from domain.paging import PageRequest
from domain.tiers import ChangePerk, DefinedPerk, PerkDefinition, RetirePerk
from tests.domain.ledger.commands import ALICE, NOW, days
from tests.domain.rewards.counter import CLERK
from tests.domain.tiers.levels import LEVELS, SHANGHAI
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

CAKE = PerkDefinition(
    id=UUID(int=1),
    level_code="base",
    code="cake",
    position=0,
    kind="BIRTHDAY_GIFT",
    value="cake-1",
    title_zh="蛋糕",
    title_en="Cake",
    description_zh="",
    description_en="",
    quota=1,
    period="BIRTHDAY",
)


async def define(perk: PerkDefinition) -> DefinedPerk:
    return await tiers.define_perk(perk, by=CLERK, now=NOW)


async def change(version: int, *, perk: PerkDefinition = CAKE, **changes: Any) -> DefinedPerk:
    command = ChangePerk(perk_id=perk.id, version=version, changes=changes)
    return await tiers.change_perk(command, by=CLERK, now=NOW)


async def retire(version: int) -> DefinedPerk:
    command = RetirePerk(perk_id=CAKE.id, version=version)
    return await tiers.retire_perk(command, by=CLERK, now=NOW + days(1))


async def shown() -> list[str]:
    standing = await tiers.standing(ALICE, zone=SHANGHAI, now=NOW)
    assert standing is not None
    return [one.code for one in standing.perks]


async def newest_told() -> tuple[str, str | None, str | None]:
    [row] = (await audit.entries(PageRequest(first=1))).items
    assert row.target is not None
    assert (row.target.kind, row.target.id) == ("perk", "base/cake")
    return row.action, row.before, row.after


async def test_a_perk_is_given_to_a_level_once() -> None:
    await tiers.define_levels(LEVELS, perks=[], now=NOW)
    assert await define(CAKE) == DefinedPerk(definition=CAKE, version=1)
    assert await shown() == ["cake"]
    again = await define(replace(CAKE, id=UUID(int=2)))
    assert again == DefinedPerk(definition=CAKE, version=1)
    before = await everything_kept()
    with pytest.raises(PerkExists):
        await define(replace(CAKE, quota=2))
    with pytest.raises(LevelUnknown):
        await define(replace(CAKE, level_code="emperor"))
    assert await everything_kept() == before


async def test_a_change_is_versioned_and_told() -> None:
    await tiers.define_levels(LEVELS, perks=[CAKE], now=NOW)
    made = await change(1, quota=None, period=None, value="cake-2")
    assert made.definition == replace(CAKE, quota=None, period=None, value="cake-2")
    assert await tiers.defined_perks() == [made]
    assert await newest_told() == (
        "perk.change",
        '{"period":"BIRTHDAY","quota":1,"value":"cake-1","version":1}',
        '{"period":null,"quota":null,"value":"cake-2","version":2}',
    )
    assert await change(2, value="cake-2") == made
    before = await everything_kept()
    with pytest.raises(DefinitionChanged) as refused:
        await change(1, value="cake-3")
    assert refused.value.version == 2
    with pytest.raises(PerkUnknown):
        await change(1, perk=replace(CAKE, id=UUID(int=9)), value="cake-3")
    assert await everything_kept() == before


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"value": ""}, "value"),
    ({"title_zh": ""}, "title_zh"),
    ({"quota": 0}, "quota"),
    ({"quota": None}, "quota"),
    ({"period": "HOUR"}, "period"),
    ({"position": -1}, "position"),
    ({"description_en": "x" * 2_001}, "description_en"),
]


async def test_a_perk_that_breaks_a_rule_is_refused() -> None:
    await tiers.define_levels(LEVELS, perks=[CAKE], now=NOW)
    before = await everything_kept()
    for changes, field in WRONG:
        with pytest.raises(InvalidInput) as refused:
            await change(1, **changes)
        assert refused.value.field == (field,)
        with pytest.raises(InvalidInput) as refused:
            await define(replace(CAKE, code="other", **changes))
        assert refused.value.field == (field,)
    assert await everything_kept() == before


async def test_a_retired_perk_is_nobodys_and_comes_back_with_its_id() -> None:
    await tiers.define_levels(LEVELS, perks=[CAKE], now=NOW)
    gone = await retire(1)
    assert gone == DefinedPerk(definition=CAKE, version=2, retired_at=NOW + days(1))
    assert await newest_told() == (
        "perk.retire",
        '{"retired":false,"version":1}',
        '{"retired":true,"version":2}',
    )
    assert await shown() == []
    before = await everything_kept()
    with pytest.raises(PerkUnknown):
        await retire(2)
    with pytest.raises(PerkUnknown):
        await change(2, value="cake-2")
    assert await everything_kept() == before
    back = await define(replace(CAKE, id=UUID(int=7), value="cake-9"))
    assert back == DefinedPerk(definition=replace(CAKE, value="cake-9"), version=3)
    assert await shown() == ["cake"]


async def test_a_code_is_of_one_kind_on_all_levels() -> None:
    await tiers.define_levels(LEVELS, perks=[CAKE], now=NOW)
    as_base = "BIRTHDAY_GIFT, as perk cake of level base: perks of one code share their quota"
    discount: dict[str, Any] = {"id": UUID(int=2), "kind": "DISCOUNT", "value": "0.9"}
    silver = replace(CAKE, level_code="silver", **discount)

    async def is_refused(perk: PerkDefinition) -> None:
        before = await everything_kept()
        with pytest.raises(InvalidInput) as refused:
            await define(perk)
        assert (refused.value.field, refused.value.rule) == (("kind",), as_base)
        assert await everything_kept() == before

    await is_refused(silver)
    # What was used of one that was retired counts as well, and it may come back.
    await retire(1)
    await is_refused(silver)
    await is_refused(replace(CAKE, **discount))
    assert (await define(replace(CAKE, id=UUID(int=3), level_code="silver"))).version == 1


async def test_a_level_has_so_many_perks_and_no_more() -> None:
    perks = [replace(CAKE, id=UUID(int=number), code=f"cake-{number}") for number in range(1, 21)]
    await tiers.define_levels(LEVELS, perks=perks, now=NOW)
    one_more = replace(CAKE, id=UUID(int=99), code="one-more")
    with pytest.raises(InvalidInput) as refused:
        await define(one_more)
    assert (refused.value.field, refused.value.rule) == (("level",), "at most 20 perks of a level")
    await retire(1)
    assert (await define(one_more)).version == 1
