"""Earning rules: their definitions, their versions, and when points mature and expire."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest

from domain.errors import InvalidInput
from domain.ledger import NEVER, AfterDays, AfterMonths, EndOfYear
from domain.purchases import (
    DEFAULT_RULE,
    EarningRule,
    current_rule,
    publish_rule,
    rule_from_json,
    rule_to_json,
)
from domain.purchases.earning import rules_at
from domain.storage import execute
from tests.domain.purchases.shop import NOW, RULE
from tests.graphql.kept import everything_kept

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    "rule",
    [
        DEFAULT_RULE,
        RULE,
        replace(RULE, expiry=EndOfYear(90), matures_after_days=7),
        replace(RULE, expiry=AfterDays(30), permille_per_yuan=0, themes={}),
    ],
)
def test_a_rule_survives_its_stored_form(rule: EarningRule) -> None:
    assert rule_from_json(rule.code, rule.version, rule_to_json(rule)) == rule


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"permille_per_yuan": -1}, "permille_per_yuan"),
        ({"permille_per_yuan": 1_000_001}, "permille_per_yuan"),
        ({"permille_per_yuan": True}, "permille_per_yuan"),
        ({"permille_per_yuan": 1.5}, "permille_per_yuan"),
        ({"permille_per_yuan": None}, "permille_per_yuan"),
        ({"themes": {"TEA": -1}}, "themes"),
        ({"themes": {"": 1}}, "themes"),
        ({"themes": ["TEA"]}, "themes"),
        # Levels multiply by their perks.
        ({"levels": {"gold": 2_000}}, "levels"),
        ({"matures_after_days": 3_651}, "matures_after_days"),
        ({"expiry": {"kind": "sometimes"}}, "expiry"),
        ({"multiplier": 1}, "multiplier"),
    ],
)
def test_a_definition_that_breaks_a_rule_is_refused_by_its_field(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        rule_from_json("standard", 1, rule_to_json(RULE) | changes)
    assert refused.value.field == (field,)


@pytest.mark.parametrize("definition", [None, 1, [], "x"])
def test_a_definition_is_an_object(definition: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        rule_from_json("standard", 1, definition)
    assert refused.value.field == ("definition",)


def test_themes_that_are_not_named_take_the_default() -> None:
    assert [RULE.rate_permille(theme) for theme in ("TEA", "COFFEE", None)] == [1_500, 1_000, 1_000]


@pytest.mark.parametrize(
    ("rule", "matures_at", "expires_at"),
    [
        (RULE, "2026-03-01T11:00:00+00:00", NEVER.isoformat()),
        # The last local day is 31 March in Shanghai: midnight of 1 April there.
        (
            replace(RULE, expiry=AfterDays(30), matures_after_days=7),
            "2026-03-08T11:00:00+00:00",
            "2026-03-31T16:00:00+00:00",
        ),
        (
            replace(RULE, expiry=AfterMonths(12)),
            "2026-03-01T11:00:00+00:00",
            "2027-03-01T16:00:00+00:00",
        ),
        # What would mature after it expired matures as it expires, never later.
        (
            replace(RULE, expiry=AfterDays(1), matures_after_days=30),
            "2026-03-02T16:00:00+00:00",
            "2026-03-02T16:00:00+00:00",
        ),
    ],
)
def test_points_mature_and_expire_from_the_moment_of_the_order(
    rule: EarningRule, matures_at: str, expires_at: str
) -> None:
    placed_at = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    matures, expires = rule.lifetime(placed_at, SHANGHAI)
    assert (matures.isoformat(), expires.isoformat()) == (matures_at, expires_at)


@pytest.mark.usefixtures("database")
async def test_a_published_rule_is_the_next_version_and_the_old_one_stays() -> None:
    assert await current_rule("standard") == DEFAULT_RULE
    first = await publish_rule(RULE, now=NOW)
    second = await publish_rule(replace(RULE, permille_per_yuan=500), now=NOW)
    other = await publish_rule(replace(RULE, code="festival"), now=NOW)

    assert (first.version, second.version, other.version) == (1, 2, 1)
    assert await current_rule("standard") == replace(RULE, permille_per_yuan=500, version=2)
    assert await rules_at([("standard", 1), ("standard", 0), ("standard", 1)]) == {
        ("standard", 1): first,
        ("standard", 0): DEFAULT_RULE,
    }


@pytest.mark.usefixtures("database")
async def test_a_rule_of_before_perks_is_read_without_its_multipliers() -> None:
    definition = {**rule_to_json(RULE), "levels": {"gold": 2_000}}
    await execute(
        "INSERT INTO earning_rule (id, code, version, definition, created_at)"
        " VALUES ($1, 'standard', 1, $2, $3)",
        *(UUID(int=1), orjson.dumps(definition).decode(), NOW),
    )
    stored = replace(RULE, version=1)
    assert await current_rule("standard") == stored
    assert await rules_at([("standard", 1)]) == {("standard", 1): stored}
    # The same without them is what is in force already.
    assert await publish_rule(RULE, now=NOW) == stored


@pytest.mark.usefixtures("database")
async def test_a_rule_that_is_refused_or_unknown_changes_nothing() -> None:
    before = await everything_kept()
    with pytest.raises(InvalidInput):
        await publish_rule(replace(RULE, expiry=AfterDays(0)), now=NOW)
    with pytest.raises(InvalidInput):
        await publish_rule(replace(RULE, code=""), now=NOW)
    with pytest.raises(InvalidInput) as refused:
        await current_rule("nobody's")
    assert refused.value.field == ("rule",)
    assert await everything_kept() == before
