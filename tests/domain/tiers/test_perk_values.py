"""What perks give, read by kind; what may be said of a perk, and what may not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import InvalidInput
from domain.tiers import (
    Discount,
    EarningMultiplier,
    FasterShipping,
    FreeShipping,
    PerkKind,
    PerkValue,
    Service,
    ServiceLevel,
    check_perk,
    define_levels,
    value_of,
)
from domain.tiers.perks.values import BirthdayGift, DedicatedAgent, EventAccess, parse_value
from tests.domain.ledger.commands import NOW
from tests.domain.tiers.levels import LEVELS, PERKS
from tests.graphql.kept import everything_kept

PERK = PERKS[1]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("DISCOUNT", "0.95", Discount(950)),
        ("DISCOUNT", "0.001", Discount(1)),
        ("DISCOUNT", "0.999", Discount(999)),
        ("EARNING_MULTIPLIER", "1", EarningMultiplier(1_000)),
        ("EARNING_MULTIPLIER", "1.25", EarningMultiplier(1_250)),
        ("EARNING_MULTIPLIER", "9.999", EarningMultiplier(9_999)),
        ("EARNING_MULTIPLIER", "10.000", EarningMultiplier(10_000)),
        ("FREE_SHIPPING", "0", FreeShipping(0)),
        ("FREE_SHIPPING", "59.9", FreeShipping(5_990)),
        ("FREE_SHIPPING", "90071992547409.91", FreeShipping(2**53 - 1)),
        ("FASTER_SHIPPING", "24", FasterShipping(24)),
        ("FASTER_SHIPPING", "720", FasterShipping(720)),
        ("SERVICE_LEVEL", "PRIORITY", Service(ServiceLevel.PRIORITY)),
        ("DEDICATED_AGENT", "", DedicatedAgent()),
        ("BIRTHDAY_GIFT", "gift-box", BirthdayGift("gift-box")),
        ("EVENT_ACCESS", "新品 品鉴", EventAccess("新品 品鉴")),
    ],
)
def test_a_value_is_read_by_its_kind(kind: str, text: str, value: PerkValue) -> None:
    assert parse_value(PerkKind(kind), text) == value
    assert value_of(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(
            ("DISCOUNT", bad)
            for bad in ("", "0", "1", "0.0", "1.0", "-0.5", "0.9500", ".95", "95%")
        ),
        *(("DISCOUNT", bad) for bad in ("0,95", " 0.95", "0.95\n", "٠.٩٥", "0.9_5", "9e-1", "NaN")),
        *(("EARNING_MULTIPLIER", bad) for bad in ("0.9", "10.001", "11", "01", "1.0000", "x", "")),
        *(("FREE_SHIPPING", bad) for bad in ("", "-1", "59.999", "059", "90071992547409.92")),
        *(("FASTER_SHIPPING", bad) for bad in ("", "0", "721", "1.5", "-24", "24h")),
        *(("SERVICE_LEVEL", bad) for bad in ("", "priority", "GOLD")),
        ("DEDICATED_AGENT", "1"),
        *(("BIRTHDAY_GIFT", bad) for bad in ("", "a gift", "蛋糕", "x" * 65)),
        *(("EVENT_ACCESS", bad) for bad in ("", " ", "a\nb", "x" * 65)),
    ],
)
def test_a_value_that_breaks_the_rule_of_its_kind_is_refused(kind: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_value(PerkKind(kind), text)
    assert refused.value.field == ("value",)
    # One that was stored before there were rules gives nothing.
    assert value_of(kind, text) is None


def test_a_kind_that_nobody_knows_gives_nothing() -> None:
    assert value_of("TELEPORT", "1") is None


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"quota": None, "period": None},
        {"quota": 1_000, "period": "BIRTHDAY"},
        {"kind": "DEDICATED_AGENT", "value": "", "quota": None, "period": None},
    ],
)
def test_a_sound_perk_may_be_defined(changes: dict[str, Any]) -> None:
    perk = replace(PERK, **changes)
    assert check_perk(perk) == parse_value(PerkKind(perk.kind), perk.value)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"code": ""}, "code"),
    ({"code": "x" * 33}, "code"),
    ({"position": -1}, "position"),
    ({"position": 1_001}, "position"),
    ({"title_zh": ""}, "title_zh"),
    ({"title_en": "x" * 101}, "title_en"),
    ({"description_zh": "x" * 2_001}, "description_zh"),
    ({"description_en": "\x00"}, "description_en"),
    ({"kind": "TELEPORT"}, "kind"),
    ({"value": "-1"}, "value"),
    ({"quota": None}, "quota"),
    ({"quota": 0}, "quota"),
    ({"quota": 1_001}, "quota"),
    ({"period": None}, "quota"),
    ({"period": "WEEK"}, "period"),
    ({"kind": "SERVICE_LEVEL", "value": "VIP"}, "quota"),
    ({"kind": "EARNING_MULTIPLIER", "value": "2"}, "quota"),
    ({"kind": "DEDICATED_AGENT", "value": ""}, "quota"),
]


@pytest.mark.parametrize(("changes", "field"), BAD)
def test_a_perk_that_breaks_a_rule_is_refused_by_its_field(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_perk(replace(PERK, **changes))
    assert refused.value.field == (field,)


@pytest.mark.usefixtures("database")
async def test_one_bad_perk_defines_nothing() -> None:
    before = await everything_kept()
    with pytest.raises(InvalidInput):
        await define_levels(LEVELS, perks=[*PERKS, replace(PERK, value="free")], now=NOW)
    assert await everything_kept() == before
