"""Levels, what qualifies for them, their history and perks."""

from domain.tiers.definitions import define_levels
from domain.tiers.history import LevelChange, level_history
from domain.tiers.ladder import LevelDefinition, Progress
from domain.tiers.member_tables import MEMBER_TABLES
from domain.tiers.merging import KeptLevel, merge_levels, part_levels
from domain.tiers.opening import (
    HeldLevel,
    OpeningLevel,
    grant_opening_levels,
    held_levels,
)
from domain.tiers.perks import (
    CancelPerkUse,
    Discount,
    EarningMultiplier,
    FasterShipping,
    FreeShipping,
    Period,
    PerkDefinition,
    PerkKind,
    PerkStanding,
    PerkUse,
    PerkUsed,
    PerkValue,
    Service,
    ServiceLevel,
    UsePerk,
    cancel_perk_use,
    check_perk,
    earning_multipliers,
    perk_uses,
    perks_lost,
    service_levels,
    use_perk,
    value_of,
)
from domain.tiers.qualifying import LevelChanged, Qualifying, qualify
from domain.tiers.standing import Standing, level_codes, read_levels, standing
from domain.tiers.timeline import TIMELINE

__all__ = [
    "MEMBER_TABLES",
    "TIMELINE",
    "CancelPerkUse",
    "Discount",
    "EarningMultiplier",
    "FasterShipping",
    "FreeShipping",
    "HeldLevel",
    "KeptLevel",
    "LevelChange",
    "LevelChanged",
    "LevelDefinition",
    "OpeningLevel",
    "Period",
    "PerkDefinition",
    "PerkKind",
    "PerkStanding",
    "PerkUse",
    "PerkUsed",
    "PerkValue",
    "Progress",
    "Qualifying",
    "Service",
    "ServiceLevel",
    "Standing",
    "UsePerk",
    "cancel_perk_use",
    "check_perk",
    "define_levels",
    "earning_multipliers",
    "grant_opening_levels",
    "held_levels",
    "level_codes",
    "level_history",
    "merge_levels",
    "part_levels",
    "perk_uses",
    "perks_lost",
    "qualify",
    "read_levels",
    "service_levels",
    "standing",
    "use_perk",
    "value_of",
]
