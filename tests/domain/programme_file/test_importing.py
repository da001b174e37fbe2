"""A programme's file goes in whole or not at all, and comes out as it was; on both databases."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any

import pytest

from domain import audit, program
from domain.catalogue import CatalogueItem, Theme, upsert_products
from domain.errors import DefinitionChanged, FileProblem, ProgrammeFileInvalid
from domain.paging import PageRequest
from domain.programme_file import export_programme, importing
from domain.storage import execute
from tests.domain.ledger.commands import NOW
from tests.domain.programme_file.files import FULL, imported, take_in, with_changes
from tests.domain.purchases.shop import open_shop, order
from tests.graphql.kept import changed, everything_kept

pytestmark = pytest.mark.usefixtures("database")

LOG = {"audit_entry", "audit_head"}


async def refused(*texts: str) -> list[FileProblem]:
    """The one problem of each file; none of them changes anything."""
    before = await everything_kept()
    problems: list[FileProblem] = []
    for text in texts:
        with pytest.raises(ProgrammeFileInvalid) as found:
            await take_in(text)
        problems += found.value.problems
    assert await everything_kept() == before
    return problems


async def actions() -> list[str]:
    return [row.action for row in (await audit.entries(PageRequest(first=100))).items]


async def test_a_file_comes_out_as_it_went_in_and_a_second_time_changes_nothing() -> None:
    changes = await take_in(FULL)
    assert len(changes) == 102
    assert [str(one) for one in changes][:6] == [
        "  programme.name_zh: 积分会员 -> 茶语会员",
        "  programme.name_en: Jifen Rewards -> Teatalk Club",
        "  programme.time_zone: Asia/Shanghai -> Asia/Tokyo",
        "  programme.currency: CNY -> JPY",
        "  level_rules.window: ROLLING -> CALENDAR_YEAR",
        "- level_rules.months: 12",
    ]
    assert await export_programme() == FULL
    before = await everything_kept()
    assert await take_in(FULL, check_only=True) == []
    assert await everything_kept() == before
    assert await take_in(FULL) == []
    assert changed(before, await everything_kept()) == LOG


async def test_an_empty_programme_is_exported_as_it_holds_by_default() -> None:
    text = await export_programme()
    assert text.splitlines()[3:] == [
        "jifen: 1",
        "programme:",
        "  name_zh: 积分会员",
        "  name_en: Jifen Rewards",
        "  time_zone: Asia/Shanghai",
        "  currency: CNY",
        "level_rules:",
        "  window: ROLLING",
        "  months: 12",
        "  grace_days: 0",
        "  notice_days: 30",
    ]
    before = await everything_kept()
    assert await take_in(text) == []
    assert changed(before, await everything_kept()) == LOG


AMBER = "  - code: amber\n    name_zh: 琥珀\n    name_en: Amber\n    purchases: 5\n"


async def test_what_differs_is_changed_and_told() -> None:
    await take_in(FULL)
    text = with_changes(
        ("threshold: 5000", "threshold: 6000"),
        ('value: "59"', 'value: "39"'),
        ("points_price: 500", "points_price: 600"),
        ("coffee: 1200", "coffee: 900"),
        ("        retired: true\n", ""),
        ("        quota: 4\n        period: MONTH\n", ""),
        ("    name_zh: 白银\n", "    name_zh: 银\n"),
        (
            "  - code: gold\n",
            f"{AMBER}  - code: gold\n",
        ),
    )
    would = await take_in(text, check_only=True)
    assert await export_programme() == FULL
    assert await take_in(text) == would
    assert [str(one) for one in would] == [
        "  levels[silver].name_zh: 白银 -> 银",
        "  levels[silver].perks[shipping].value: 59 -> 39",
        "- levels[silver].perks[shipping].quota: 4",
        "- levels[silver].perks[shipping].period: MONTH",
        "- levels[silver].perks[cake].retired: true",
        "  levels[gold].threshold: 5000 -> 6000",
        "+ levels[amber].code: amber",
        "+ levels[amber].name_zh: 琥珀",
        "+ levels[amber].name_en: Amber",
        "+ levels[amber].purchases: 5",
        "  earning_rules[standard].themes.coffee: 1200 -> 900",
        "  rewards[mug].points_price: 500 -> 600",
    ]
    assert await export_programme() == text
    assert (await actions())[:8] == [
        "programme.import",
        "reward.change",
        "earning_rule.publish",
        "perk.define",
        "perk.change",
        "level.change",
        "level.define",
        "level.change",
    ]


OTHER_VALUES = {
    "name_zh": "另一个",
    "name_en": "Another",
    "title_zh": "另一个",
    "title_en": "Another",
    "description_zh": "另一个",
    "description_en": "Another",
    "terms_zh": "另一个",
    "body_en": "Another",
    "link": "/other",
    "topic": "delivery",
    "time_zone": "Europe/Berlin",
    "currency": "EUR",
    "window": "ROLLING",
    "image_url": '"https://img.jifen.example/other.png"',
    "level_required": "gold",
    "begins_at": '"2026-02-01T00:00:00Z"',
    "ends_at": '"2026-05-01T00:00:00Z"',
    "takes_off": "SHARE",
    "kind": "after_days\n      days: 9",
    "match": "ALL",
    "stacks": "false",
    "retired": "false",
    "value": "2",
}
"""Another value of each field that is no number; of an expiry, too."""
FOR_EVER = {"jifen", "code", "stock"}


def changed_line(line: str) -> tuple[str, str] | None:
    """The name of the field of the line, and the line with another value; None of other lines."""
    name, _, value = line.strip().removeprefix("- ").partition(": ")
    is_fixed = name == "kind" and value != "never"
    if line.startswith("#") or not value or name in FOR_EVER or is_fixed:
        return None
    other = str(int(value) + 1) if value.isdigit() else OTHER_VALUES.get(name, "MONTH")
    if name == "value" and value == "cake-1":
        other = "cake-2"
    if name == "period":
        other = {"MONTH": "YEAR", "BIRTHDAY": "DAY"}[value]
    return name, line.replace(f": {value}", f": {other}")


async def test_whatever_field_is_changed_is_changed_and_nothing_else() -> None:
    """Every line of the file: so no field is forgotten by who reads, writes or takes in."""
    await take_in(FULL)
    lines = FULL.splitlines()
    others = [(number, found) for number, line in enumerate(lines) if (found := changed_line(line))]
    # Each eighth at once: lines that are near, and may depend on each other, one after the other.
    for turn in range(8):
        text = list(lines)
        for number, (_, other) in others[turn::8]:
            text[number] = other
        changes = await take_in("\n".join([*text, ""]), check_only=True)
        tried = Counter(name for _, (name, _) in others[turn::8])
        names = Counter(one.path.rpartition(".")[2] for one in changes)
        # What goes with a window or an expiry, and the order of perks with their positions.
        assert (names - tried).keys() <= {"months", "days", "perks"}
        assert not tried - names
    assert (len(others), len({name for _, (name, _) in others})) == (78, 41)


@pytest.mark.parametrize(
    ("attribute", "forgotten", "pair"),
    [
        ("CHANGEABLE", "points_price", ("points_price: 500", "points_price: 600")),
        ("CHANGEABLE_OF_PERKS", "value", ('value: "59"', 'value: "39"')),
    ],
)
async def test_a_field_that_is_forgotten_on_the_way_in_is_found(
    monkeypatch: pytest.MonkeyPatch, attribute: str, forgotten: str, pair: tuple[str, str]
) -> None:
    """A planted bug: the changes are those of two exports, not what the import believes it did."""
    await take_in(FULL)
    known: frozenset[str] = getattr(importing, attribute)
    monkeypatch.setattr(importing, attribute, known - {forgotten})
    assert await take_in(with_changes(pair)) == []
    assert await export_programme() == FULL


async def test_what_a_file_leaves_out_stays_and_so_does_the_stock() -> None:
    await take_in(FULL)
    assert await take_in("jifen: 1\n") == []
    assert await take_in(with_changes(("stock: 10", "stock: 99"))) == []
    assert await export_programme() == FULL
    lines = FULL.splitlines(keepends=True)
    rewards_alone = "jifen: 1\n" + "".join(lines[lines.index("rewards:\n") :])
    assert await take_in(rewards_alone.replace("per_member: 2", "per_member: 3")) != []
    assert await export_programme() == with_changes(("per_member: 2", "per_member: 3"))


async def test_a_retired_perk_is_taken_away_and_comes_back() -> None:
    await take_in(FULL)
    away = with_changes(
        ("        period: MONTH\n", "        period: MONTH\n        retired: true\n")
    )
    assert [str(one) for one in await take_in(away)] == [
        "+ levels[silver].perks[shipping].retired: true"
    ]
    assert await export_programme() == away
    other = away.replace('value: "59"', 'value: "49"')
    assert [str(one) for one in await take_in(other)] == [
        "  levels[silver].perks[shipping].value: 59 -> 49"
    ]
    assert await export_programme() == other
    await take_in(FULL)
    assert await export_programme() == FULL


DISCOUNT = "      - {code: cake, kind: DISCOUNT, value: '0.9', title_zh: 蛋糕, title_en: Cake}\n"
TWO_KINDS = with_changes(("    match: ANY\n", f"    match: ANY\n    perks:\n{DISCOUNT}"))
WITHOUT_ONE = re.sub(r"(?s)      - code: cake\n.*(?=      - code: more\n)", "", TWO_KINDS)
AS_CAKE = "BIRTHDAY_GIFT, as perk cake of level silver: perks of one code share their quota"

REFUSED = [
    # What only the whole can tell; the rules of each thing by itself are tried in test_reading.
    (
        with_changes(("threshold: 5000", "threshold: 999")),
        "line 49: levels[2].threshold: more than silver, a level below it, asks for",
    ),
    (
        with_changes(("level_required: silver", "level_required: tin")),
        "line 76: rewards[0].level_required: one of bronze, silver, gold",
    ),
    # What is for ever.
    (
        with_changes(("kind: GIFT", "kind: PERK")),
        "line 69: rewards[0].kind: GIFT, for ever",
    ),
    (
        with_changes(("kind: FREE_SHIPPING", "kind: FASTER_SHIPPING")),
        "line 24: levels[1].perks[0].kind: FREE_SHIPPING, for ever",
    ),
    (
        with_changes(("  - code: gold\n", "  - code: golden\n")),
        "line 14: levels: every level that there is: gold",
    ),
    # A stock that no reward can have, though that of one that exists stays as it is.
    (with_changes(("stock: 10", "stock: -1")), "line 75: rewards[0].stock: 0 to 2147483647"),
    (
        with_changes(("stock: 10", "stock: 2147483648")),
        "line 75: rewards[0].stock: 0 to 2147483647",
    ),
    # A cause of a topic that nobody has defined.
    (
        with_changes(("    topic: shops\n", "    topic: weather\n")),
        "line 103: feedback_causes[0].topic: the code of a topic that there is",
    ),
    # A code of a perk for another kind on another level: in the file, or in the database alone.
    (TWO_KINDS, f"line 54: levels[2].perks[0].kind: {AS_CAKE}"),
    (WITHOUT_ONE, f"line 45: levels[2].perks[0].kind: {AS_CAKE}"),
]


async def test_what_the_domain_refuses_is_told_by_path_and_line_and_nothing_is_changed() -> None:
    await take_in(FULL)
    found = await refused(*(text for text, _ in REFUSED))
    assert [str(problem) for problem in found] == [told for _, told in REFUSED]


STAYS = "rewards[0].stock: stock of mug stays 10"


async def test_a_stock_that_stays_and_a_theme_of_no_product_are_told() -> None:
    unsold = [
        f"line {line}: earning_rules[1].themes.{theme}: no product has this theme"
        for line, theme in ((61, "coffee"), (62, "tea"))
    ]
    assert [str(one) for one in (await imported(FULL)).warnings] == unsold
    tea = CatalogueItem(
        code="T-1", title="绿茶", theme=Theme(code="tea", name_zh="茶", name_en="Tea")
    )
    await upsert_products([tea], now=NOW)
    for said, told, line in (("\n    stock: 99", "99", 75), ("", "unlimited", 68)):
        text = with_changes(("\n    stock: 10", said))
        wanted = [unsold[0], f"line {line}: {STAYS}; the file says {told}"]
        for check_only in (True, False):
            found = await imported(text, check_only=check_only)
            assert found.changes == []
            assert [str(one) for one in found.warnings] == wanted
    assert [str(one) for one in (await imported(FULL)).warnings] == unsold[:1]
    assert await export_programme() == FULL


async def test_the_currency_is_for_ever_once_something_was_bought() -> None:
    shop = await open_shop("ann")
    await shop.record(order("A-1", "ann"))
    [problem] = await refused(FULL)
    assert (problem.path, problem.line) == ("programme.currency", 9)
    assert problem.rule == "CNY, for ever once a purchase was recorded"


async def test_who_changes_the_same_at_this_moment_is_not_overwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between what the import reads and what it writes."""
    await take_in(FULL)
    read = program.program

    async def another_was_faster() -> Any:
        found = await read()
        await execute("UPDATE program SET version = version + 1")
        return found

    monkeypatch.setattr("domain.program.program", another_was_faster)
    before = await everything_kept()
    with pytest.raises(DefinitionChanged):
        await take_in(with_changes(("currency: JPY", "currency: EUR")))
    assert await everything_kept() == before


async def test_two_imports_at_once_are_one_after_the_other_or_refused() -> None:
    texts = [with_changes(("threshold: 5000", f"threshold: {n}000")) for n in (6, 7)]
    await take_in(FULL)
    found = await asyncio.gather(*(take_in(text) for text in texts), return_exceptions=True)
    assert all(isinstance(one, list | DefinitionChanged) for one in found)
    assert await export_programme() in texts
