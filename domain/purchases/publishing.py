"""Earning rules as staff publishes them: the next version, with a row in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain import audit
from domain.audit import Actor, Target
from domain.errors import DefinitionChanged, InvalidInput
from domain.paging import Page, PageRequest, page_of
from domain.purchases.earning import EarningRule, publish_rule, rule_to_json, stored_rule
from domain.storage import Row, fetch_all, fetch_one, transaction
from domain.texts import clean_code

_CODE_CHARACTERS_MAX = 64

RULES_MAX = 20
"""How many earning rules a programme may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRule:
    """A version of a rule, and when it was published."""

    rule: EarningRule
    published_at: datetime


async def publish_earning_rule(rule: EarningRule, *, by: Actor, now: datetime) -> EarningRule:
    """Publish the rule as the next version after `rule.version`, 0 where its code is new.

    Orders keep the version that they were recorded under. What is in force already stays at its
    version. Refused: InvalidInput, DefinitionChanged (another version was published meanwhile).
    """
    clean_code(rule.code, field=("code",), characters_max=_CODE_CHARACTERS_MAX)

    async def work() -> EarningRule:
        row = await fetch_one(_NEWEST, rule.code)
        before = None if row is None else _published(row).rule
        at = 0 if before is None else before.version
        if at != rule.version:
            raise DefinitionChanged(version=at, field=("version",))
        if before is None and len(await newest_rules()) >= RULES_MAX:
            raise InvalidInput(field=("code",), rule=f"at most {RULES_MAX} earning rules")
        after = await publish_rule(rule, now=now)
        audit.record(
            by,
            "earning_rule.publish",
            target=Target(kind="earning_rule", id=rule.code),
            before=_facts(before),
            after=_facts(after),
            now=now,
        )
        return after

    return await transaction(work)


async def newest_rules() -> list[EarningRule]:
    """The newest version of each rule that was published, by code; at most RULES_MAX."""
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM earning_rule AS r WHERE version ="
        " (SELECT MAX(o.version) FROM earning_rule AS o WHERE o.code = r.code) ORDER BY code"
    )
    return [_published(row).rule for row in rows]


async def published_rules(page: PageRequest, *, code: str) -> Page[PublishedRule]:
    """A page of the versions of a rule, newest first, by the key (version,)."""
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM earning_rule WHERE code = $1 AND version < $2"
        " ORDER BY version DESC LIMIT $3",
        code,
        page.after[0] if page.after else 2**31 - 1,
        page.limit,
    )
    found = [_published(row) for row in rows]
    return page_of(found, first=page.first, key=lambda one: (one.rule.version,))


_COLUMNS = "code, version, definition, created_at"
_NEWEST = f"SELECT {_COLUMNS} FROM earning_rule WHERE code = $1 ORDER BY version DESC LIMIT 1"


def _published(row: Row) -> PublishedRule:
    return PublishedRule(rule=stored_rule(row), published_at=row["created_at"])


def _facts(rule: EarningRule | None) -> dict[str, Any] | None:
    return None if rule is None else rule_to_json(rule) | {"version": rule.version}
