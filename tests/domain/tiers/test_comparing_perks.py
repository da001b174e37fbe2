"""What of a perk gets worse with a level; decided purely."""

from __future__ import annotations

import pytest

from domain.tiers import PerkTerms
from domain.tiers.perks.comparing import is_worse
from domain.tiers.perks.values import PerkKind

# Of each kind, what is better and what is worse.
VALUES: dict[PerkKind, tuple[str, str]] = {
    PerkKind.DISCOUNT: ("0.95", "0.98"),
    PerkKind.EARNING_MULTIPLIER: ("10", "1.25"),
    PerkKind.FREE_SHIPPING: ("59", "199.50"),
    PerkKind.FASTER_SHIPPING: ("24", "120"),
    PerkKind.SERVICE_LEVEL: ("VIP", "PRIORITY"),
}
# The same, said in another way.
ALIKE: dict[PerkKind, tuple[str, str]] = {
    PerkKind.DISCOUNT: ("0.9", "0.90"),
    PerkKind.EARNING_MULTIPLIER: ("1.5", "1.500"),
    PerkKind.FREE_SHIPPING: ("59", "59.00"),
}
# What no rule can compare.
OTHER: dict[PerkKind, tuple[str, str]] = {
    PerkKind.BIRTHDAY_GIFT: ("cake", "candle"),
    PerkKind.EVENT_ACCESS: ("tasting", "opening"),
    PerkKind.DISCOUNT: ("a tenth", "half"),
}


def terms(kind: str, value: str, quota: int | None = None, period: str | None = None) -> PerkTerms:
    return PerkTerms(kind=kind, value=value, quota=quota, period=period)


def test_every_kind_is_compared() -> None:
    assert {*VALUES, *OTHER, PerkKind.DEDICATED_AGENT} == set(PerkKind)


@pytest.mark.parametrize("kind", VALUES)
def test_a_perk_gets_worse_where_it_gives_less(kind: PerkKind) -> None:
    better, worse = (terms(kind, value) for value in VALUES[kind])
    assert is_worse(better, worse)
    assert not is_worse(worse, better)
    assert not is_worse(better, better)


@pytest.mark.parametrize("kind", ALIKE)
def test_what_is_said_in_another_way_is_the_same(kind: PerkKind) -> None:
    one, other = (terms(kind, value) for value in ALIKE[kind])
    assert not is_worse(one, other)
    assert not is_worse(other, one)


@pytest.mark.parametrize("kind", OTHER)
def test_what_cannot_be_compared_is_told_where_it_is_another(kind: PerkKind) -> None:
    one, other = (terms(kind, value) for value in OTHER[kind])
    assert is_worse(one, other)
    assert is_worse(other, one)
    assert not is_worse(one, one)


def test_another_kind_of_a_perk_from_before_there_were_rules_is_told() -> None:
    assert is_worse(terms("DISCOUNT", "0.9"), terms("FREE_SHIPPING", "0"))
    agent = terms("DEDICATED_AGENT", "")
    assert not is_worse(agent, agent)


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ((None, None), (None, None), False),
        ((None, None), (1_000, "DAY"), True),
        ((1, "YEAR"), (None, None), False),
        ((3, "MONTH"), (2, "MONTH"), True),
        ((2, "MONTH"), (3, "MONTH"), False),
        ((3, "YEAR"), (2, "MONTH"), False),
        ((2, "MONTH"), (23, "YEAR"), True),
        ((2, "MONTH"), (24, "YEAR"), False),
        ((1, "DAY"), (30, "MONTH"), True),
        ((1, "YEAR"), (1, "BIRTHDAY"), False),
    ],
)
def test_a_perk_gets_worse_where_it_is_given_less_often(
    before: tuple[int | None, str | None], after: tuple[int | None, str | None], worse: bool
) -> None:
    one, other = terms("DISCOUNT", "0.9", *before), terms("DISCOUNT", "0.9", *after)
    assert is_worse(one, other) is worse


def test_more_often_does_not_make_up_for_less() -> None:
    assert is_worse(terms("DISCOUNT", "0.9", 1, "YEAR"), terms("DISCOUNT", "0.95", 1, "DAY"))
