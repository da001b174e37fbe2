"""Defining the programme's levels and perks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from domain.outbox import Event, announce
from domain.storage import transaction
from domain.tiers.ladder import LevelDefinition
from domain.tiers.models import Level, Perk
from domain.tiers.perks.definitions import PerkDefinition, check_perk


async def define_levels(
    levels: Sequence[LevelDefinition], *, perks: Sequence[PerkDefinition], now: datetime
) -> None:
    """Add the levels and perks that do not exist yet, by their codes; existing ones stay.

    Refused: InvalidInput, where what is said of a perk breaks a rule.
    """
    for perk in perks:
        check_perk(perk)

    async def work() -> None:
        await Level.bulk_create([Level(**asdict(level)) for level in levels], ignore_conflicts=True)
        await Perk.bulk_create([Perk(**asdict(perk)) for perk in perks], ignore_conflicts=True)
        await announce([Event(kind="LevelsDefined", member_id=None, facts={})], now=now)

    await transaction(work)
