"""Defining the programme's levels and perks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

from domain.outbox import Event, announce
from domain.storage import Table, transaction
from domain.tiers.ladder import LevelDefinition
from domain.tiers.models import Perk
from domain.tiers.perks.definitions import PerkDefinition, check_kind, check_perk

_LEVELS: Final = Table(
    "level",
    code="text",
    rank="int",
    name_zh="text",
    name_en="text",
    threshold="bigint",
    amount_fen="bigint",
    purchases="int",
    match="text",
)


async def define_levels(
    levels: Sequence[LevelDefinition], *, perks: Sequence[PerkDefinition], now: datetime
) -> None:
    """Add the levels and perks that do not exist yet, by their codes; existing ones stay.

    Refused: InvalidInput, where what is said of a perk breaks a rule.
    """
    of_codes: dict[str, PerkDefinition] = {}
    for perk in perks:
        check_perk(perk)
        check_kind(perk, of_codes.setdefault(perk.code, perk))

    async def work() -> None:
        await _LEVELS.insert(
            (asdict(level) | {"match": level.match.value} for level in levels), or_ignore=True
        )
        await Perk.bulk_create([Perk(**asdict(perk)) for perk in perks], ignore_conflicts=True)
        await announce([Event(kind="LevelsDefined", member_id=None, facts={})], now=now)

    await transaction(work)
