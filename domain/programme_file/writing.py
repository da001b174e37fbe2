"""A programme as a document of plain values, of which `yaml_text` makes a file: one and the same.

Fields stand in a fixed order, and what has its default is left out, so that two files of one
programme are equal to the byte. No version numbers and no ids are written: they are those of one
database.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeAlias

from domain.notifications import DefinedText
from domain.program import Programme
from domain.programme_file.contents import Contents, FiledLevel, FiledPerk
from domain.programme_file.service import calendar_document, levels_document
from domain.programme_file.topics import cause_document, topic_document
from domain.purchases import EarningRule, rule_to_json
from domain.rewards import CouponTerms, RewardDefinition
from domain.tiers import CalendarYear, LevelRules, Match, Rolling

FORM: Final = 1
"""The form of the file; another one would be read otherwise."""

Document: TypeAlias = dict[str, Any]


def document_of(contents: Contents) -> Document:
    """The contents as plain values: texts, whole numbers, `true`, lists and mappings."""
    document: Document = {"jifen": FORM}
    if contents.programme is not None:
        document["programme"] = _programme(contents.programme)
    if contents.level_rules is not None:
        document["level_rules"] = _level_rules(contents.level_rules)
    if contents.levels:
        document["levels"] = [_level(one) for one in contents.levels]
    if contents.earning_rules:
        document["earning_rules"] = [_earning_rule(one) for one in contents.earning_rules]
    if contents.rewards:
        document["rewards"] = [_reward(one) for one in contents.rewards]
    if contents.feedback_topics:
        document["feedback_topics"] = [topic_document(one) for one in contents.feedback_topics]
    if contents.feedback_causes:
        document["feedback_causes"] = [cause_document(one) for one in contents.feedback_causes]
    if contents.service_calendar is not None:
        document["service_calendar"] = calendar_document(contents.service_calendar)
    if contents.service_levels is not None:
        document["service_levels"] = levels_document(contents.service_levels)
    if contents.notification_texts:
        document["notification_texts"] = [_text(one) for one in contents.notification_texts]
    return document


def _programme(programme: Programme) -> Document:
    return {
        "name_zh": programme.name_zh,
        "name_en": programme.name_en,
        "time_zone": programme.zone.key,
        "currency": programme.currency,
    }


def _level_rules(rules: LevelRules) -> Document:
    window: Document
    match rules.window:
        case Rolling(months):
            window = {"window": "ROLLING", "months": months}
        case CalendarYear():
            window = {"window": "CALENDAR_YEAR"}
    return window | {"grace_days": rules.grace_days, "notice_days": rules.notice_days}


def _level(level: FiledLevel) -> Document:
    definition = level.definition
    return _said(
        {
            "code": definition.code,
            "name_zh": definition.name_zh,
            "name_en": definition.name_en,
            "threshold": definition.threshold or None,
            "amount_fen": definition.amount_fen,
            "purchases": definition.purchases,
            "match": None if definition.match is Match.ALL else definition.match.value,
            "perks": [_perk(one, place) for place, one in enumerate(level.perks)] or None,
        }
    )


def _perk(perk: FiledPerk, place: int) -> Document:
    definition = perk.definition
    return _said(
        {
            "code": definition.code,
            "kind": definition.kind,
            "value": definition.value or None,
            "title_zh": definition.title_zh,
            "title_en": definition.title_en,
            "description_zh": definition.description_zh or None,
            "description_en": definition.description_en or None,
            "quota": definition.quota,
            "period": definition.period,
            "position": None if definition.position == place else definition.position,
            "retired": perk.is_retired or None,
        }
    )


def _earning_rule(rule: EarningRule) -> Document:
    definition = rule_to_json(rule)
    return _said(
        {
            "code": rule.code,
            "permille_per_yuan": definition["permille_per_yuan"],
            "themes": dict(sorted(definition["themes"].items())) or None,
            "matures_after_days": definition["matures_after_days"] or None,
            "expiry": definition["expiry"],
        }
    )


def _reward(reward: RewardDefinition) -> Document:
    return _said(
        {
            "code": reward.code,
            "kind": str(reward.kind),
            "title_zh": reward.title_zh,
            "title_en": reward.title_en,
            "description_zh": reward.description_zh or None,
            "description_en": reward.description_en or None,
            "image_url": reward.image_url,
            "points_price": reward.points_price,
            "stock": reward.stock,
            "level_required": reward.level_required,
            "begins_at": _moment(reward.begins_at),
            "ends_at": _moment(reward.ends_at),
            "per_member": reward.per_member,
            "product": reward.product_code,
            "coupon": _coupon(reward.coupon) or None,
        }
    )


def _text(defined: DefinedText) -> Document:
    text = defined.text
    return _said(
        {
            "code": defined.kind,
            "title_zh": text.title_zh,
            "title_en": text.title_en,
            "body_zh": text.body_zh or None,
            "body_en": text.body_en or None,
            "link": text.link,
        }
    )


def _coupon(terms: CouponTerms) -> Document:
    usual, value = CouponTerms(), terms.value
    return _said(
        {
            "takes_off": value.off.value if value.off else None,
            "value": value.value if value.off else None,
            "amount_min_fen": value.amount_min_fen or None,
            "discount_max_fen": value.discount_max_fen,
            "days": None if terms.days == usual.days else terms.days,
            "stacks": terms.stacks or None,
            "terms_zh": terms.terms_zh or None,
            "terms_en": terms.terms_en or None,
        }
    )


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _said(fields: Document) -> Document:
    """The fields without those that say nothing."""
    return {name: value for name, value in fields.items() if value is not None}
