"""Earning rules: versioned, never changed once published.

A rule says how many points a yuan earns (by theme), when the points mature and when they expire.
Its stored form is a JSON object:

    {"permille_per_yuan": 1000, "themes": {"GROCERY": 500},
     "matures_after_days": 0, "expiry": {"kind": "after_months", "months": 12}}

1000 permille per yuan is one point per yuan; a theme that is not named takes the default rate. What
a level multiplies is a perk of the level, see `domain.tiers`. The rule's version and the multiplier
are frozen on each purchase, and the rate on each line, so that what is added to an order later, or
refunded, is reckoned by what held when it was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from uuid_utils.compat import uuid7

from domain.errors import Flaws, InvalidInput
from domain.ledger import (
    AfterMonths,
    ExpiryPolicy,
    expires_at,
    policy_from_json,
    policy_to_json,
)
from domain.purchases.rules import PERMILLE
from domain.storage import Row, execute, fetch_all, fetch_one, transaction
from domain.texts import clean_code

RATE_PERMILLE_MAX = 1_000_000
"""A thousand points per yuan."""
MATURES_AFTER_DAYS_MAX = 3_650
_CODE_LENGTH_MAX = 64
_NAMED_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningRule:
    """One version of a rule. Rates are permille of a point per yuan."""

    code: str
    version: int
    permille_per_yuan: int
    themes: Mapping[str, int] = field(default_factory=dict)
    matures_after_days: int = 0
    expiry: ExpiryPolicy

    def rate_permille(self, theme_code: str | None) -> int:
        """The rate of a product of this theme; a product without one earns the default rate."""
        if theme_code is None:
            return self.permille_per_yuan
        return self.themes.get(theme_code, self.permille_per_yuan)

    def lifetime(self, placed_at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """When points of an order placed then mature, and when they expire.

        Both follow from the moment of the order, however late it is recorded. Points that would
        expire before they mature mature as they expire.
        """
        ends = expires_at(self.expiry, earned_at=placed_at, zone=zone)
        return min(placed_at + timedelta(days=self.matures_after_days), ends), ends


DEFAULT_RULE = EarningRule(
    code="standard", version=0, permille_per_yuan=PERMILLE, expiry=AfterMonths(24)
)
"""What holds until a merchant publishes a rule of this code: one point per yuan, for two years."""


def rule_to_json(rule: EarningRule) -> dict[str, Any]:
    """The rule's definition as it is stored; its code and version stand in columns of their own."""
    return {
        "permille_per_yuan": rule.permille_per_yuan,
        "themes": dict(rule.themes),
        "matures_after_days": rule.matures_after_days,
        "expiry": policy_to_json(rule.expiry),
    }


def rule_from_json(code: str, version: int, definition: object) -> EarningRule:
    """The rule of a definition; refused with InvalidInput, which names the field and its rule."""
    given = _object("definition", definition)
    unknown = given.keys() - rule_to_json(DEFAULT_RULE).keys()
    if unknown:
        raise InvalidInput(field=(min(unknown),), rule="is not a part of an earning rule")
    if not 1 <= len(code) <= _CODE_LENGTH_MAX:
        raise InvalidInput(field=("code",), rule="1 to 64 characters")
    try:
        expiry = policy_from_json(given.get("expiry", {}))
    except ValueError as not_a_policy:
        raise InvalidInput(field=("expiry",), rule="an expiry policy") from not_a_policy
    return EarningRule(
        code=code,
        version=version,
        permille_per_yuan=_whole(
            "permille_per_yuan", given.get("permille_per_yuan"), at_most=RATE_PERMILLE_MAX
        ),
        themes=_by_code("themes", given.get("themes", {}), at_most=RATE_PERMILLE_MAX),
        matures_after_days=_whole(
            "matures_after_days", given.get("matures_after_days", 0), at_most=MATURES_AFTER_DAYS_MAX
        ),
        expiry=expiry,
    )


def rule_flaws(rule: EarningRule) -> Sequence[InvalidInput]:
    """Every rule that the definition breaks but for its expiry, at most one for each field."""
    flaws = Flaws()
    with flaws.noted():
        clean_code(rule.code, field=("code",), characters_max=_CODE_LENGTH_MAX)
    with flaws.noted():
        _whole("permille_per_yuan", rule.permille_per_yuan, at_most=RATE_PERMILLE_MAX)
    with flaws.noted():
        _by_code("themes", rule.themes, at_most=RATE_PERMILLE_MAX)
    with flaws.noted():
        _whole("matures_after_days", rule.matures_after_days, at_most=MATURES_AFTER_DAYS_MAX)
    return flaws.found


async def publish_rule(rule: EarningRule, *, now: datetime) -> EarningRule:
    """Store the rule as the next version of its code, from now on the current one; returns it.

    `rule.version` is not read. Publishing what is in force already changes nothing. Refused with
    InvalidInput where a number is out of its range.
    """
    definition = rule_to_json(rule)
    sound = rule_from_json(rule.code, 1, definition)

    async def publish() -> EarningRule:
        row = await _newest(sound.code)
        if row is not None and rule_to_json(stored_rule(row)) == definition:
            return stored_rule(row)
        published = replace(sound, version=row["version"] + 1 if row is not None else 1)
        await execute(
            "INSERT INTO earning_rule (id, code, version, definition, created_at) "
            "VALUES ($1, $2, $3, $4, $5)",
            uuid7(),
            published.code,
            published.version,
            orjson.dumps(definition).decode(),
            now,
        )
        return published

    return await transaction(publish)


async def _newest(code: str) -> Row | None:
    return await fetch_one(
        "SELECT code, version, definition FROM earning_rule WHERE code = $1 "
        "ORDER BY version DESC LIMIT 1",
        code,
    )


async def current_rule(code: str) -> EarningRule:
    """The newest version of the rule; InvalidInput where no rule of this code was published."""
    row = await _newest(code)
    if row is not None:
        return stored_rule(row)
    if code == DEFAULT_RULE.code:
        return DEFAULT_RULE
    raise InvalidInput(field=("rule",), rule=f"no earning rule {code!r} was published")


async def rules_at(versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], EarningRule]:
    """The rules of the given codes and versions, which exist; one statement."""
    wanted = set(versions)
    rows = await fetch_all(
        "SELECT code, version, definition FROM earning_rule "
        "WHERE code = ANY($1::text[]) AND version = ANY($2::int[])",
        sorted({code for code, _ in wanted}),
        sorted({version for _, version in wanted}),
    )
    found = {(row["code"], row["version"]): stored_rule(row) for row in rows}
    found[DEFAULT_RULE.code, DEFAULT_RULE.version] = DEFAULT_RULE
    return {key: found[key] for key in wanted}


def stored_rule(row: Row) -> EarningRule:
    """The rule in a row that has its code, its version and its definition.

    One of before perks multiplied what is earned may name multipliers of levels, which are without
    effect.
    """
    definition = orjson.loads(row["definition"])
    definition.pop("levels", None)
    return rule_from_json(row["code"], row["version"], definition)


def _object(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidInput(field=(name,), rule="a JSON object")
    return value


def _whole(name: str, value: object, *, at_most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= at_most:
        raise InvalidInput(field=(name,), rule=f"a whole number from 0 to {at_most}")
    return value


def _by_code(name: str, value: object, *, at_most: int) -> dict[str, int]:
    given = _object(name, value)
    if len(given) > _NAMED_MAX or not all(1 <= len(code) <= _CODE_LENGTH_MAX for code in given):
        raise InvalidInput(field=(name,), rule="at most 1000 codes of 1 to 64 characters")
    return {code: _whole(name, number, at_most=at_most) for code, number in given.items()}
