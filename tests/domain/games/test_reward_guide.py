"""The guide of rewards names the refusals of items as they are."""

from __future__ import annotations

import re

from domain.errors import ErrorCode
from domain.games.reward_items import RETRYABLE
from tests.repository.tree import ROOT


def test_the_guide_tells_what_may_be_sent_again() -> None:
    guide = (ROOT / "docs" / "game-rewards.md").read_text()
    table = guide.partition("| may be sent again in a new batch |\n")[2].partition("\n\n")[0]
    told = {
        ErrorCode(code): line.endswith("| yes |")
        for line in table.splitlines()[1:]
        for code in re.findall(r"`([A-Z_]+)`", line.split("|")[1])
    }
    assert {code for code, may_pass in told.items() if may_pass} == RETRYABLE
    refused_for_good = "AMOUNT_INVALID TOO_OLD DISCLOSURE_UNKNOWN PRIZE_UNKNOWN"
    refused_for_good += " INVALID_INPUT ENTRY_NOT_REVERSIBLE REVERSED_BEFORE"
    assert {*refused_for_good.split()} == told.keys() - RETRYABLE
