"""What is wrong in a file is told all at once, each with its path and its line."""

from __future__ import annotations

import pytest

from domain.errors import ProgrammeFileInvalid
from domain.programme_file.fields import PROBLEMS_MAX
from domain.programme_file.reading import read_contents
from domain.programme_file.writing import document_of
from domain.programme_file.yaml_text import yaml_text
from tests.domain.programme_file.files import FULL, with_changes

A_CODE = "ASCII letters, digits and _ . : - only, a letter or digit first"


def refused(text: str) -> list[str]:
    with pytest.raises(ProgrammeFileInvalid) as found:
        read_contents(text.encode())
    return [str(problem) for problem in found.value.problems]


WRONG = """\
jifen: 1
programme:
  name_zh: 茶语
  currency: [CNY]
  colour: red
level_rules: {window: WEEKLY, months: -1, grace_days: "3", notice_days: 99999999}
levels:
  - code: bronze
    name_zh: 青铜
    name_en: ~
    threshold: 1.5
    perks: none
  - gold
  - {code: sil ver, name_zh: 白银, name_en: Silver, threshold: -1, purchases: many}
earning_rules:
  - code: standard
    permille_per_yuan: 01
    themes: {tea: many}
    expiry: {kind: after_months, months: 0}
  - code: standard
    permille_per_yuan: 1
shops: []
"""


def test_every_problem_has_its_path_and_its_line() -> None:
    assert refused(WRONG) == [
        "line 2: programme.time_zone: needed",
        "line 2: programme.name_en: needed",
        "line 4: programme.currency: a text, not a list",
        "line 5: programme.colour: no such field",
        "line 6: level_rules.window: one of ROLLING, CALENDAR_YEAR",
        "line 6: level_rules.grace_days: a whole number",
        "line 6: level_rules.months: 1 to 60",
        "line 6: level_rules.notice_days: 0 to 180",
        "line 10: levels[0].name_en: needed",
        "line 11: levels[0].threshold: a whole number",
        "line 12: levels[0].perks: a list, each item after a dash, not a single value",
        "line 13: levels[1]: fields, each as `name: value`, not a single value",
        "line 14: levels[2].purchases: a whole number",
        f"line 14: levels[2].code: {A_CODE}",
        "line 14: levels[2].threshold: 0 to 9007199254740991",
        "line 17: earning_rules[0].permille_per_yuan: a whole number",
        "line 18: earning_rules[0].themes.tea: a whole number",
        "line 19: earning_rules[0].expiry.months: a number within its range",
        "line 20: earning_rules[1].expiry: needed",
        "line 20: earning_rules[1].code: a code that no other has",
    ]


WRONG_REWARDS = """\
jifen: 1
rewards:
  - code: mug
    kind: CAR
    title_zh: 杯子
    title_en: Mug
    image_url: "javascript:alert(1)"
    points_price: 99999999999999999999
    stock: -1
    begins_at: 2026-03-01
    coupon: {stacks: yes, takes_off: HALF, value: 9999, days: 0}
  - code: cup
    kind: GIFT
    title_zh: 茶杯
    points_price: 0
    begins_at: 2026-03-01T00:00:00Z
    ends_at: 2026-02-01T00:00:00Z
    per_member: 0
    coupon: [1]
"""


def test_every_problem_of_rewards_has_its_path_and_its_line() -> None:
    assert refused(WRONG_REWARDS) == [
        "line 4: rewards[0].kind: one of GIFT, COUPON, PERK, PARTNER_PRIZE",
        "line 7: rewards[0].image_url: an http or https address",
        "line 8: rewards[0].points_price: a whole number",
        "line 9: rewards[0].stock: 0 to 2147483647",
        "line 10: rewards[0].begins_at: a moment with its offset, 2026-03-01T08:00:00Z",
        "line 11: rewards[0].coupon.takes_off: one of AMOUNT, SHARE",
        "line 11: rewards[0].coupon.stacks: one of true, false",
        "line 11: rewards[0].coupon.days: 1 to 3650",
        "line 12: rewards[1].title_en: needed",
        "line 15: rewards[1].points_price: 1 to 9007199254740991",
        "line 17: rewards[1].ends_at: after the beginning",
        "line 18: rewards[1].per_member: 1 to 2147483647",
        "line 19: rewards[1].coupon: fields, each as `name: value`, not a list",
    ]


def test_so_many_problems_are_told_and_no_more() -> None:
    assert len(refused(WRONG)) == PROBLEMS_MAX


FORMS = [
    ("- 1\n", ["line 1: the settings of a programme, which begin with `jifen: 1`, not a list"]),
    (
        "# Hello.\nhello\n",
        ["line 2: the settings of a programme, which begin with `jifen: 1`, not a single value"],
    ),
    (
        "a: 1\n",
        [
            "line 1: jifen: needed: every file says `jifen: 1`, the form that it has",
            "line 1: a: no such field",
        ],
    ),
    # Of another form nothing else can be told.
    ("a: 1\njifen: 2\n", ["line 2: jifen: 1, the only form of file that this version reads"]),
    ("jifen: [1]\n", ["line 1: jifen: 1, the only form of file that this version reads"]),
    ("jifen:\n", ["line 1: jifen: 1, the only form of file that this version reads"]),
]


@pytest.mark.parametrize(("text", "problems"), FORMS, ids=range(len(FORMS)))
def test_what_is_no_file_of_a_programme_is_told_so(text: str, problems: list[str]) -> None:
    assert refused(text) == problems


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (
            ("  - code: cake\n", "  - code: shipping\n"),
            "levels[1].perks[1].code: a code that no other has",
        ),
        (("  - code: gold", "  - code: silver"), "levels[2].code: a code that no other has"),
        (("  - code: ten-off", "  - code: mug"), "rewards[1].code: a code that no other has"),
        (("  - code: shops", "  - code: delivery"), "feedback_topics[1].code: a code that no"),
        (("  - code: other", "  - code: carrier-late"), "feedback_causes[1].code: a code that no"),
        (("period: BIRTHDAY", "period: HOUR"), "levels[1].perks[1].period: one of DAY, MONTH,"),
        (("match: ANY", "match: SOME"), "levels[2].match: one of ALL, ANY"),
        (("      months: 24\n", ""), "earning_rules[1].expiry.months: needed"),
        (
            ("kind: never", "kind: never\n      days: 1"),
            "earning_rules[0].expiry.days: no such field",
        ),
        (("      value: 1000\n", ""), "rewards[1].coupon.value: needed"),
        (("stacks: true", "stacks: on"), "rewards[1].coupon.stacks: one of true, false"),
        (("permille_per_yuan: 1000\n    themes:", "permille_per_yuan: -\n    themes:"), "YAML"),
        # The domain's rules, each with the line of the value.
        (("amount_fen: 1000000", "amount_fen: 0"), "line 50: levels[2].amount_fen: 1 to"),
        (
            ("    name_en: Bronze\n", "    name_en: Bronze\n    threshold: 1\n"),
            "line 18: levels[0].threshold: nothing for the base level",
        ),
        (
            ("    threshold: 1000\n", ""),
            "line 18: levels[1].threshold: something for a level above the base",
        ),
        (
            ('value: "1.25"', 'value: "0.5"'),
            "line 41: levels[1].perks[2].value: a factor from 1 to 10",
        ),
        (("quota: 4", "quota: 0"), "line 28: levels[1].perks[0].quota: 1 to 1000"),
        (("points_price: 500", "points_price: 0"), "line 74: rewards[0].points_price: 1 to"),
        (("days: 60", "days: 0"), "line 90: rewards[1].coupon.days: 1 to 3650"),
        (("      value: 1000\n", "      value: 0\n"), "line 87: rewards[1].coupon.value: 1 to"),
        (("kind: COUPON", "kind: GIFT"), "line 85: rewards[1].coupon: a discount for COUPON"),
        (("tea: 1500", "tea: 1500000"), "line 60: earning_rules[1].themes: a whole number from"),
        (("notice_days: 14", "notice_days: 999"), "line 13: level_rules.notice_days: 0 to 180"),
        (("name_zh: 配送", 'name_zh: ""'), "line 95: feedback_topics[0].name_zh: at least 1"),
        (
            ("name_en: Carrier late", 'name_en: ""'),
            "line 105: feedback_causes[0].name_en: at least",
        ),
        (("name_zh: 茶语会员", 'name_zh: ""'), "line 6: programme.name_zh: at least 1 char"),
        (("currency: JPY", "currency: yen"), "line 9: programme.currency: three capital letters"),
        (("Asia/Tokyo", "Mars/Olympus"), "line 8: programme.time_zone: the name of a time zone"),
    ],
)
def test_each_field_has_its_rule(pair: tuple[str, str], problem: str) -> None:
    [told] = refused(with_changes(pair))
    assert problem in told


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        # What goes by another field is not looked at where that one is wrong.
        (("kind: FREE_SHIPPING", "kind: FREE"), "levels[1].perks[0].kind: one of DISCOUNT"),
        (("takes_off: AMOUNT", "takes_off: HALF"), "rewards[1].coupon.takes_off: one of"),
        (("kind: COUPON", "kind: VOUCHER"), "rewards[1].kind: one of GIFT"),
        (("kind: after_months", "kind: someday"), "earning_rules[1].expiry.kind: one of"),
        (
            ("    threshold: 1000\n", "    purchases: many\n"),
            "levels[1].purchases: a whole number",
        ),
        (("  time_zone: Asia/Tokyo\n", ""), "programme.time_zone: needed"),
    ],
)
def test_one_mistake_is_one_problem(pair: tuple[str, str], problem: str) -> None:
    [told] = refused(with_changes(pair))
    assert problem in told


def test_what_is_said_by_default_may_be_left_out_or_null() -> None:
    contents = read_contents(FULL.encode())
    assert contents.levels[2].perks == []
    nulls = with_changes(
        ("level_required: silver", "level_required: ~"), ("stock: 10", "stock: null")
    )
    mug = read_contents(nulls.encode()).rewards[0]
    assert (mug.level_required, mug.stock) == (None, None)


@pytest.mark.parametrize(
    "expiry",
    [
        {"kind": "after_days", "days": 30},
        {"kind": "after_months", "months": 6},
        {"kind": "end_of_year", "grace_days": 0},
        {"kind": "never"},
    ],
)
def test_each_way_to_expire_is_read_as_it_is_written(expiry: dict[str, str | int]) -> None:
    rule = {"code": "standard", "permille_per_yuan": 1, "expiry": expiry}
    document = {"jifen": 1, "earning_rules": [rule]}
    assert document_of(read_contents(yaml_text(document).encode())) == document


def test_every_field_of_a_coupon_and_of_a_rolling_window_is_read_as_it_is_written() -> None:
    coupon = {"takes_off": "SHARE", "value": 100, "terms_en": "None."}
    reward = {
        "code": "tenth",
        "kind": "COUPON",
        "title_zh": "九折",
        "title_en": "A tenth off",
        "description_zh": "一次",
        "points_price": 1,
        "coupon": coupon,
    }
    window = {"window": "ROLLING", "months": 6, "grace_days": 1, "notice_days": 2}
    document = {"jifen": 1, "level_rules": window, "rewards": [reward]}
    assert document_of(read_contents(yaml_text(document).encode())) == document


def test_a_promise_of_nothing_is_read_as_it_is_written() -> None:
    document = {"jifen": 1, "service_levels": [{}, {"kind": "LOSS", "priority": 4}]}
    assert "service_levels:\n  - {}\n  - kind: LOSS\n" in yaml_text(document)
    assert document_of(read_contents(yaml_text(document).encode())) == document
