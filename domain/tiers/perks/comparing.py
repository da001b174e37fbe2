"""What a lower level gives less of: perks that go, and perks that get worse. Decided purely."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

from domain.tiers.perks.quotas import Period
from domain.tiers.perks.values import (
    Discount,
    EarningMultiplier,
    FasterShipping,
    FreeShipping,
    PerkValue,
    Service,
    ServiceLevel,
    value_of,
)

_TIMES_PER_YEAR: Final = {Period.DAY: 365, Period.MONTH: 12, Period.YEAR: 1, Period.BIRTHDAY: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class PerkTerms:
    """What a perk gives, and how often: `quota` uses per `period`, None for no limit."""

    kind: str
    value: str
    quota: int | None = None
    period: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducedPerk:
    """A perk that both levels give under one code, and the lower one gives less of."""

    code: str
    before: PerkTerms
    after: PerkTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class LessPerks:
    """What goes with a level: the codes of perks that are lost, and the perks that get worse."""

    lost: tuple[str, ...]
    reduced: tuple[ReducedPerk, ...]


def is_worse(before: PerkTerms, after: PerkTerms) -> bool:
    """Whether any part of it gets worse: what it gives, or how often in a year.

    What only the merchant can compare, as two gifts or two kinds, is worse where it is another.
    """
    return _gives_less(before, after) or _less_often(before, after)


def _gives_less(before: PerkTerms, after: PerkTerms) -> bool:
    if (before.kind, before.value) == (after.kind, after.value):
        return False
    return _is_less(value_of(before.kind, before.value), value_of(after.kind, after.value))


def _is_less(before: PerkValue | None, after: PerkValue | None) -> bool:
    match before, after:
        case Discount(paid), Discount(paid_after):
            return paid_after > paid
        case EarningMultiplier(factor), EarningMultiplier(factor_after):
            return factor_after < factor
        case FreeShipping(least), FreeShipping(least_after):
            return least_after > least
        case FasterShipping(hours), FasterShipping(hours_after):
            return hours_after > hours
        case Service(level), Service(level_after):
            order = list(ServiceLevel)
            return order.index(level_after) < order.index(level)
    # Two that cannot be read were stored with different texts, so they are not the same.
    return before is None or before != after


def _less_often(before: PerkTerms, after: PerkTerms) -> bool:
    return _uses_per_year(after) < _uses_per_year(before)


def _uses_per_year(terms: PerkTerms) -> float:
    if terms.quota is None or terms.period is None:
        return inf
    return terms.quota * _TIMES_PER_YEAR[Period(terms.period)]
