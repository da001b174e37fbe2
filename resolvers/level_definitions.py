"""Levels, perks and their rules, as staff defines them."""

from __future__ import annotations

from collections.abc import Sequence

from domain import tiers
from resolvers.context import RequestContext
from resolvers.once import Once


class LevelRecord:
    """A level as it is defined, with its perks, which are read when a field needs them.

    Levels that are listed together share one read of all perks.
    """

    __slots__ = ("_once", "definition", "version")

    def __init__(self, level: tiers.DefinedLevel, once: Once) -> None:
        self.definition = level.definition
        self.version = level.version
        self._once = once

    async def perks(self) -> Sequence[tiers.DefinedPerk]:
        """The perks of the level, those that were retired among them, by position."""
        perks = await self._once.read("perks", tiers.defined_perks)
        return [one for one in perks if one.definition.level_code == self.definition.code]


async def levels() -> Sequence[LevelRecord]:
    """The levels, by rank."""
    once = Once()
    return [LevelRecord(level, once) for level in await tiers.defined_levels()]


async def level_rules() -> tiers.LevelRules:
    """The rules of levels as they are."""
    return await tiers.level_rules()


async def define_level(context: RequestContext, level: tiers.LevelDefinition) -> LevelRecord:
    """Add a level, by the member of staff who asks."""
    made = await tiers.define_level(level, by=context.actor(), now=context.now)
    return LevelRecord(made, Once())


async def change_level(context: RequestContext, command: tiers.ChangeLevel) -> LevelRecord:
    """Change a level, by the member of staff who asks."""
    made = await tiers.change_level(command, by=context.actor(), now=context.now)
    return LevelRecord(made, Once())


async def define_perk(context: RequestContext, perk: tiers.PerkDefinition) -> tiers.DefinedPerk:
    """Give a level a perk, by the member of staff who asks."""
    return await tiers.define_perk(perk, by=context.actor(), now=context.now)


async def change_perk(context: RequestContext, command: tiers.ChangePerk) -> tiers.DefinedPerk:
    """Change a perk, by the member of staff who asks."""
    return await tiers.change_perk(command, by=context.actor(), now=context.now)


async def retire_perk(context: RequestContext, command: tiers.RetirePerk) -> tiers.DefinedPerk:
    """Take a perk from its level, by the member of staff who asks."""
    return await tiers.retire_perk(command, by=context.actor(), now=context.now)


async def set_level_rules(context: RequestContext, rules: tiers.LevelRules) -> tiers.LevelRules:
    """Change the rules of levels, by the member of staff who asks."""
    return await tiers.change_level_rules(rules, by=context.actor(), now=context.now)
