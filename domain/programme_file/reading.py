"""A programme's file as values: every field by its rule, every problem with its path and line.

The rules of each thing by itself are those of the domain, all of which are looked at. Whether
things make sense together, and with what is there, is decided when the contents are imported;
`Contents.places` lead back to the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from uuid_utils.compat import uuid7

from domain.errors import FileProblem, InvalidInput, ProgrammeFileInvalid
from domain.ledger import ExpiryPolicy, Never, policy_from_json
from domain.notifications import KINDS, DefinedText, NotificationText, notification_text_flaws
from domain.program import DEFAULT, Programme, programme_flaws, zone_of
from domain.programme_file.contents import Contents, FiledLevel, FiledPerk
from domain.programme_file.fields import FieldsReader, Look, Place, what_is
from domain.programme_file.nodes import Fields, Node, Text, read_nodes
from domain.programme_file.service import read_calendar, read_levels
from domain.programme_file.topics import read_cause, read_topic
from domain.programme_file.writing import FORM
from domain.purchases import EarningRule, rule_flaws
from domain.rewards import (
    CouponOff,
    CouponTerms,
    CouponValue,
    RewardDefinition,
    RewardKind,
    reward_flaws,
)
from domain.tiers import (
    CalendarYear,
    LevelDefinition,
    LevelRules,
    Match,
    Period,
    PerkDefinition,
    PerkKind,
    Rolling,
    check_kind,
    level_flaws,
    level_rules_flaws,
    perk_flaws,
)

THINGS_MAX: Final = 2_000
"""How many levels, perks of a level, rules or rewards are looked at; each has a limit of its own
where it is defined."""
_URL_CHARACTERS_MAX: Final = 2_048


def read_contents(source: bytes) -> Contents:
    """The contents of a file. Refused: ProgrammeFileInvalid, with path and line of each problem."""
    look = Look()
    node = read_nodes(source)
    _refuse_other_forms(node)
    top = FieldsReader(node, at=Place("", node.line), look=look)
    if top.text_or_none("jifen") is None:
        top.note("jifen", f"needed: every file says `jifen: {FORM}`, the form that it has")
    contents = Contents(
        programme=_programme(top.within("programme")),
        level_rules=_level_rules(top.within("level_rules")),
        levels=[_level(one, rank) for rank, one in enumerate(_each(top, "levels"))],
        earning_rules=[_earning_rule(one) for one in _each(top, "earning_rules")],
        rewards=[_reward(one) for one in _each(top, "rewards")],
        feedback_topics=[read_topic(one) for one in _each(top, "feedback_topics")],
        feedback_causes=[read_cause(one) for one in _each(top, "feedback_causes")],
        service_calendar=read_calendar(top.within("service_calendar")),
        service_levels=read_levels(top, _each(top, "service_levels")),
        notification_texts=[_text(one) for one in _each(top, "notification_texts")],
        places=look.places,
    )
    _refuse_twins(top, "levels", [one.definition.code for one in contents.levels])
    _refuse_twins(top, "earning_rules", [one.code for one in contents.earning_rules])
    _refuse_twins(top, "rewards", [one.code for one in contents.rewards])
    _refuse_twins(top, "feedback_topics", [one.code for one in contents.feedback_topics])
    _refuse_twins(top, "feedback_causes", [one.code for one in contents.feedback_causes])
    _refuse_twins(top, "notification_texts", [one.kind for one in contents.notification_texts])
    _refuse_other_kinds(top, contents.levels)
    top.end()
    look.refuse_any()
    return contents


def _refuse_other_forms(node: Node) -> None:
    """Refuse a file of another form, of which nothing else can be told."""
    if not isinstance(node, Fields):
        rule = f"the settings of a programme, which begin with `jifen: {FORM}`, not {what_is(node)}"
        raise ProgrammeFileInvalid(problems=(FileProblem(path="", line=node.line, rule=rule),))
    form = node.entries.get("jifen")
    if form is not None and not (isinstance(form, Text) and form.text == str(FORM)):
        rule = f"{FORM}, the only form of file that this version reads"
        line = node.key_lines["jifen"]
        raise ProgrammeFileInvalid(problems=(FileProblem(path="jifen", line=line, rule=rule),))


def _programme(fields: FieldsReader | None) -> Programme | None:
    if fields is None:
        return None
    zone = DEFAULT.zone
    try:
        zone = zone_of(fields.text("time_zone"))
    except InvalidInput as wrong:
        fields.note_flaws([wrong])
    programme = Programme(
        name_zh=fields.text("name_zh"),
        name_en=fields.text("name_en"),
        zone=zone,
        currency=fields.text("currency"),
    )
    fields.note_flaws(programme_flaws(programme))
    fields.end()
    return programme


def _level_rules(fields: FieldsReader | None) -> LevelRules | None:
    if fields is None:
        return None
    usual = LevelRules()
    if fields.choice("window", ("ROLLING", "CALENDAR_YEAR")) == "ROLLING":
        window: Rolling | CalendarYear = Rolling(fields.whole("months", default=Rolling().months))
    else:
        window = CalendarYear()
    rules = LevelRules(
        window=window,
        grace_days=fields.whole("grace_days", default=usual.grace_days),
        notice_days=fields.whole("notice_days", default=usual.notice_days),
    )
    fields.note_flaws(level_rules_flaws(rules))
    fields.end()
    return rules


def _level(fields: FieldsReader, rank: int) -> FiledLevel:
    code = fields.text("code")
    definition = LevelDefinition(
        code=code,
        rank=rank,
        name_zh=fields.text("name_zh"),
        name_en=fields.text("name_en"),
        threshold=fields.whole("threshold", default=0),
        amount_fen=fields.whole_or_none("amount_fen"),
        purchases=fields.whole_or_none("purchases"),
        match=Match(fields.choice("match", list(Match), default=Match.ALL)),
    )
    # A level above the base asks for something: no threshold where one of the others is wrong.
    others = () if definition.threshold else ("amount_fen", "purchases")
    fields.note_flaws(level_flaws(definition), go_by={"threshold": others})
    perks = [_perk(one, code, place) for place, one in enumerate(_each(fields, "perks"))]
    _refuse_twins(fields, "perks", [one.definition.code for one in perks])
    fields.end()
    return FiledLevel(definition=definition, perks=perks)


def _perk(fields: FieldsReader, level_code: str, place: int) -> FiledPerk:
    definition = PerkDefinition(
        id=uuid7(),
        level_code=level_code,
        code=fields.text("code"),
        position=fields.whole("position", default=place),
        kind=fields.choice("kind", list(PerkKind)),
        value=fields.text("value", default=""),
        title_zh=fields.text("title_zh"),
        title_en=fields.text("title_en"),
        description_zh=fields.text("description_zh", default=""),
        description_en=fields.text("description_en", default=""),
        quota=fields.whole_or_none("quota"),
        period=fields.choice("period", list(Period)) if fields.has("period") else None,
    )
    perk = FiledPerk(definition=definition, is_retired=fields.flag("retired"))
    fields.note_flaws(perk_flaws(definition), go_by={"value": ("kind",), "quota": ("kind",)})
    fields.end()
    return perk


def _earning_rule(fields: FieldsReader) -> EarningRule:
    rule = EarningRule(
        code=fields.text("code"),
        version=0,
        permille_per_yuan=fields.whole("permille_per_yuan"),
        themes=fields.numbers("themes"),
        matures_after_days=fields.whole("matures_after_days", default=0),
        expiry=_expiry(fields),
    )
    fields.note_flaws(rule_flaws(rule))
    fields.end()
    return rule


# What else each kind of expiry says.
_EXPIRIES: Final = {
    "after_days": "days",
    "after_months": "months",
    "end_of_year": "grace_days",
    "never": None,
}


def _expiry(fields: FieldsReader) -> ExpiryPolicy:
    inner = fields.within("expiry")
    if inner is None:
        fields.note("expiry", "needed")
        return Never()
    policy: dict[str, Any] = {"kind": inner.choice("kind", list(_EXPIRIES))}
    if inner.is_wrong("kind"):
        return Never()
    number = _EXPIRIES[policy["kind"]]
    if number is not None:
        policy[number] = inner.whole(number)
    inner.end()
    try:
        return policy_from_json(policy)
    except ValueError:
        inner.note(number or "kind", "a number within its range")
        return Never()


def _reward(fields: FieldsReader) -> RewardDefinition:
    image_url = fields.text_or_none("image_url")
    if image_url is not None and not _is_address(image_url):
        fields.note("image_url", "an http or https address")
    reward = RewardDefinition(
        code=fields.text("code"),
        kind=fields.choice("kind", list(RewardKind)),
        title_zh=fields.text("title_zh"),
        title_en=fields.text("title_en"),
        description_zh=fields.text("description_zh", default=""),
        description_en=fields.text("description_en", default=""),
        image_url=image_url,
        points_price=fields.whole("points_price"),
        stock=fields.whole_or_none("stock"),
        level_required=fields.text_or_none("level_required"),
        begins_at=fields.moment_or_none("begins_at"),
        ends_at=fields.moment_or_none("ends_at"),
        per_member=fields.whole_or_none("per_member"),
        coupon=_coupon(fields.within("coupon")),
        product_code=fields.text_or_none("product"),
    )
    of_coupon = {"coupon": ("kind",), "coupon.value": ("coupon.takes_off",)}
    fields.note_flaws(reward_flaws(reward), go_by=of_coupon)
    fields.end()
    return reward


def _coupon(fields: FieldsReader | None) -> CouponTerms:
    usual = CouponTerms()
    if fields is None:
        return usual
    off = (
        CouponOff(fields.choice("takes_off", list(CouponOff))) if fields.has("takes_off") else None
    )
    terms = CouponTerms(
        value=CouponValue(
            off=off,
            value=fields.whole("value") if off else 0,
            amount_min_fen=fields.whole("amount_min_fen", default=0),
            discount_max_fen=fields.whole_or_none("discount_max_fen"),
        ),
        days=fields.whole("days", default=usual.days),
        stacks=fields.flag("stacks"),
        terms_zh=fields.text("terms_zh", default=""),
        terms_en=fields.text("terms_en", default=""),
    )
    fields.end()
    return terms


def _text(fields: FieldsReader) -> DefinedText:
    defined = DefinedText(
        kind=fields.text("code"),
        text=NotificationText(
            title_zh=fields.text("title_zh"),
            title_en=fields.text("title_en"),
            body_zh=fields.text("body_zh", default=""),
            body_en=fields.text("body_en", default=""),
            link=fields.text_or_none("link"),
        ),
    )
    if defined.kind in KINDS:
        fields.note_flaws(notification_text_flaws(defined.kind, defined.text).found)
    else:
        fields.note("code", "a kind that members are told")
    fields.end()
    return defined


def _is_address(text: str) -> bool:
    """Whether it is the address of a picture, with a host and without blanks or a password."""
    if len(text) > _URL_CHARACTERS_MAX or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return (
        has_port
        and parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and ("@" not in parts.netloc)
    )


def _each(fields: FieldsReader, name: str) -> Sequence[FieldsReader]:
    return list(fields.each(name, at_most=THINGS_MAX))


def _refuse_twins(fields: FieldsReader, name: str, codes: Sequence[str]) -> None:
    """Note each thing whose code another one before it has."""
    seen: set[str] = set()
    for place, code in enumerate(codes):
        if code in seen and code:
            fields.note(f"{name}[{place}].code", "a code that no other has")
        seen.add(code)


def _refuse_other_kinds(fields: FieldsReader, levels: Sequence[FiledLevel]) -> None:
    """Note each perk whose code is another kind's on a level before."""
    of_codes: dict[str, PerkDefinition] = {}
    for number, level in enumerate(levels):
        for place, one in enumerate(level.perks):
            perk, at = one.definition, f"levels[{number}].perks[{place}]"
            if fields.is_wrong(f"{at}.code") or fields.is_wrong(f"{at}.kind"):
                continue
            try:
                check_kind(perk, of_codes.setdefault(perk.code, perk))
            except InvalidInput as wrong:
                fields.note(f"{at}.kind", wrong.rule)
