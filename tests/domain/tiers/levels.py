"""Three levels with perks, as the tests of this context use them."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from domain.tiers import LevelDefinition, PerkDefinition, define_levels
from tests.domain.ledger.commands import NOW

SHANGHAI = ZoneInfo("Asia/Shanghai")


def level(code: str, rank: int, threshold: int) -> LevelDefinition:
    return LevelDefinition(
        code=code, rank=rank, name_zh=f"{code} 级", name_en=code, threshold=threshold
    )


BASE, SILVER, GOLD = LEVELS = (
    level("base", 0, 0),
    level("silver", 1, 1_000),
    level("gold", 2, 5_000),
)


def perk(
    number: int, level_code: str, code: str, *, quota: int | None = None, period: str | None = None
) -> PerkDefinition:
    return PerkDefinition(
        id=UUID(int=number),
        level_code=level_code,
        code=code,
        position=number,
        kind="FREE_SHIPPING",
        value="0",
        title_zh="包邮",
        title_en="free shipping",
        description_zh="",
        description_en="",
        quota=quota,
        period=period,
    )


PERKS = (
    perk(1, "base", "welcome"),
    perk(2, "silver", "shipping", quota=2, period="MONTH"),
    perk(3, "gold", "shipping"),
    perk(4, "gold", "cake", quota=1, period="BIRTHDAY"),
    perk(5, "gold", "event", quota=1, period="YEAR"),
    perk(6, "gold", "call", quota=3, period="DAY"),
)


async def three_levels() -> None:
    await define_levels(LEVELS, perks=PERKS, now=NOW)
