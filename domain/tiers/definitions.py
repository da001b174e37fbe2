"""Defining the programme's levels and perks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from domain.outbox import Event, announce
from domain.storage import transaction
from domain.tiers.ladder import LevelDefinition
from domain.tiers.models import Level, Perk


@dataclass(frozen=True, slots=True, kw_only=True)
class PerkDefinition:
    """What a level gives: `quota` uses per `period` (DAY, MONTH, YEAR, BIRTHDAY), or unlimited."""

    id: UUID
    level_code: str
    code: str
    position: int
    kind: str
    value: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    quota: int | None = None
    period: str | None = None


async def define_levels(
    levels: Sequence[LevelDefinition], *, perks: Sequence[PerkDefinition], now: datetime
) -> None:
    """Add the levels and perks that do not exist yet, by their codes; existing ones stay."""

    async def work() -> None:
        await Level.bulk_create([Level(**asdict(level)) for level in levels], ignore_conflicts=True)
        await Perk.bulk_create([Perk(**asdict(perk)) for perk in perks], ignore_conflicts=True)
        await announce([Event(kind="LevelsDefined", member_id=None, facts={})], now=now)

    await transaction(work)
