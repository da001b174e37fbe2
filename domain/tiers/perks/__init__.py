"""Perks: what a level gives, how often it may be used, and what it does by itself.

`values` reads what a perk gives and `quotas` how often, both decided purely; `using` uses one.
"""

from domain.tiers.perks.comparing import LessPerks, PerkTerms, ReducedPerk
from domain.tiers.perks.definitions import (
    PerkDefinition,
    check_kind,
    check_perk,
    perk_flaws,
)
from domain.tiers.perks.effects import earning_multipliers, less_perks, service_levels
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
    "LessPerks",
    "Period",
    "PerkDefinition",
    "PerkKind",
    "PerkStanding",
    "PerkTerms",
    "PerkUse",
    "PerkUsed",
    "PerkValue",
    "ReducedPerk",
    "Service",
    "ServiceLevel",
    "UsePerk",
    "cancel_perk_use",
    "check_kind",
    "check_perk",
    "earning_multipliers",
    "less_perks",
    "perk_flaws",
    "perk_uses",
    "service_levels",
    "use_perk",
    "value_of",
]
