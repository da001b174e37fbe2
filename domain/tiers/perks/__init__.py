"""Perks: what a level gives, how often it may be used, and what it does by itself.

`values` reads what a perk gives and `quotas` how often, both decided purely; `using` uses one.
"""

from domain.tiers.perks.definitions import PerkDefinition, check_perk
from domain.tiers.perks.effects import earning_multipliers, perks_lost, service_levels
from domain.tiers.perks.quotas import Period
from domain.tiers.perks.standing import PerkStanding
from domain.tiers.perks.uses import PerkUse, perk_uses
from domain.tiers.perks.using import (
    CancelPerkUse,
    PerkUsed,
    UsePerk,
    cancel_perk_use,
    use_perk,
)
from domain.tiers.perks.values import (
    Discount,
    EarningMultiplier,
    FasterShipping,
    FreeShipping,
    PerkKind,
    PerkValue,
    Service,
    ServiceLevel,
    value_of,
)

__all__ = [
    "CancelPerkUse",
    "Discount",
    "EarningMultiplier",
    "FasterShipping",
    "FreeShipping",
    "Period",
    "PerkDefinition",
    "PerkKind",
    "PerkStanding",
    "PerkUse",
    "PerkUsed",
    "PerkValue",
    "Service",
    "ServiceLevel",
    "UsePerk",
    "cancel_perk_use",
    "check_perk",
    "earning_multipliers",
    "perk_uses",
    "perks_lost",
    "service_levels",
    "use_perk",
    "value_of",
]
