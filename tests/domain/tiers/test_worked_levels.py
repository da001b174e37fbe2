"""Every worked example of docs/levels.md is what happens; on both databases."""

from __future__ import annotations

import re

import pytest

from domain.tiers import CalendarYear, LevelRules, Rolling, set_level_rules
from tests.domain.ledger.commands import NOW
from tests.domain.tiers.evaluated import (
    bought,
    codes,
    joined,
    kept_until,
    local,
    refunded,
    settled,
)
from tests.domain.tiers.levels import three_levels
from tests.repository.tree import ROOT

PAGE = (ROOT / "docs" / "levels.md").read_text()
STORIES = re.findall(
    r"([^\n]*)\n\n\| when \| what \| level \| kept until \|\n[-|]+\n((?:\|.*\n)+)", PAGE
)
BUYS = re.compile(r"buys ([\d,]+)")
RECORDED = re.compile(r"an order of (.{16}) is recorded: (\d+)")
REFUNDED = re.compile(r"([\d,]+) of (.{16}) are refunded")


def rules_of(above: str) -> LevelRules:
    """The rules that the line above a table tells."""
    grace = re.search(r"(\d+) days of grace", above)
    rolling = re.match(r"A rolling window of (\d+) months", above)
    return LevelRules(
        window=Rolling(int(rolling[1])) if rolling else CalendarYear(),
        grace_days=int(grace[1]) if grace else 0,
    )


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize("place", range(len(STORIES)))
async def test_an_example_is_what_happens(database: str, place: int) -> None:
    above, body = STORIES[place]
    await three_levels()
    await set_level_rules(rules_of(above), now=NOW)
    [member] = await joined("a")
    done = 0
    for row in body.splitlines():
        when, what, level, until = (cell.strip() for cell in row.strip("|").split("|"))
        now = local(when)
        await settled(now)
        if found := BUYS.fullmatch(what):
            await bought(member, number(found[1]), at=now)
        elif found := RECORDED.fullmatch(what):
            await bought(member, number(found[2]), at=local(found[1]), now=now)
        elif found := REFUNDED.fullmatch(what):
            await refunded(member, number(found[1]), at=local(found[2]), now=now)
        done += found is not None
        assert await codes(member) == [level], (when, what)
        shown = await kept_until(member, now=now)
        assert shown == (local(until) if until else None), (when, what, shown)
    assert done == len(re.findall(r"buys|recorded|refunded", body))


def test_no_example_was_passed_over() -> None:
    assert len(STORIES) == 4
    assert [rules_of(above).grace_days for above, _ in STORIES] == [0, 14, 0, 0]
    assert isinstance(rules_of(STORIES[2][0]).window, CalendarYear)
