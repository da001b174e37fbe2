"""What is wrong in a file is told all at once, each with its path and its line."""

from __future__ import annotations

import pytest

from domain.errors import ProgrammeFileInvalid
from domain.programme_file.fields import PROBLEMS_MAX
from domain.programme_file.reading import read_contents
from domain.programme_file.writing import document_of
from domain.programme_file.yaml_text import yaml_text
from tests.domain.programme_file.files import FULL, with_changes


def refused(text: str) -> list[str]:
    with pytest.raises(ProgrammeFileInvalid) as found:
        read_contents(text.encode())
    return [str(problem) for problem in found.value.problems]


WRONG = """\
jifen: 2
programme:
  name_zh: 茶语
  time_zone: Mars/Olympus
  currency: [CNY]
  colour: red
level_rules: {window: WEEKLY, grace_days: "3"}
levels:
  - code: bronze
    name_zh: 青铜
    name_en: ~
    threshold: 1.5
    perks: none
  - gold
earning_rules:
  - code: standard
    permille_per_yuan: 01
    themes: {tea: many}
    expiry: {kind: after_months, months: 0}
  - code: standard
    permille_per_yuan: 1
rewards:
  - code: mug
    kind: CAR
    title_zh: 杯子
    title_en: Mug
    image_url: "javascript:alert(1)"
    points_price: 99999999999999999999
    begins_at: 2026-03-01
    coupon: {stacks: yes}
shops: []
"""


def test_every_problem_has_its_path_and_its_line() -> None:
    assert refused(WRONG) == [
        "line 1: jifen: 1, the form of this file",
        "line 2: programme.name_en: needed",
        "line 4: programme.time_zone: the name of a time zone",
        "line 5: programme.currency: a text",
        "line 6: programme.colour: no such field",
        "line 7: level_rules.window: one of ROLLING, CALENDAR_YEAR",
        "line 7: level_rules.grace_days: a whole number",
        "line 11: levels[0].name_en: needed",
        "line 12: levels[0].threshold: a whole number",
        "line 13: levels[0].perks: a list",
        "line 14: levels[1]: fields",
        "line 17: earning_rules[0].permille_per_yuan: a whole number",
        "line 18: earning_rules[0].themes.tea: a whole number",
        "line 19: earning_rules[0].expiry.months: a number within its range",
        "line 20: earning_rules[1].expiry: needed",
        "line 20: earning_rules[1].code: a code that no other has",
        "line 24: rewards[0].kind: one of GIFT, COUPON, PERK, PARTNER_PRIZE",
        "line 27: rewards[0].image_url: an http or https address",
        "line 28: rewards[0].points_price: a whole number",
        "line 29: rewards[0].begins_at: a moment with its offset, 2026-03-01T08:00:00Z",
    ]


def test_so_many_problems_are_told_and_no_more() -> None:
    assert len(refused(WRONG)) == PROBLEMS_MAX
    assert refused("a: 1\n") == ["line 1: jifen: needed", "line 1: a: no such field"]
    assert refused("- 1\n") == ["line 1: fields"]


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (
            ("  - code: cake\n", "  - code: shipping\n"),
            "levels[1].perks[1].code: a code that no other has",
        ),
        (("  - code: gold", "  - code: silver"), "levels[2].code: a code that no other has"),
        (("  - code: ten-off", "  - code: mug"), "rewards[1].code: a code that no other has"),
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
    ],
)
def test_each_field_has_its_rule(pair: tuple[str, str], problem: str) -> None:
    text = with_changes(pair)
    assert problem in refused(text)[0]


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
