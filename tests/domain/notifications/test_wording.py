"""The texts that kinds come with, and the facts in them."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from domain.notifications.kinds import KINDS
from domain.notifications.texts import Language, Wording, worded, words_of

WORDING: Final = Wording(zone=ZoneInfo("Asia/Shanghai"))


def body(kind: str, facts: dict[str, Any], language: Language) -> str:
    text = KINDS[kind].text
    return worded(kind, facts, text=text, language=language, wording=WORDING).body


@pytest.mark.parametrize("kind", ["TICKET_ANSWER_LATE", "TICKET_RESOLVE_LATE"])
def test_who_is_paid_for_waiting_reads_so_and_nobody_else(kind: str) -> None:
    facts = {"number": "T-000123", "ticket": "1"}
    paid = {**facts, "points": 50}
    assert body(kind, paid, "zh").endswith("。已补偿您 50 积分。")
    assert body(kind, paid, "en").endswith(". 50 points were added to yours for it.")
    for unpaid in ({"points": 0}, {"points": "x"}, {}):
        assert body(kind, {**facts, **unpaid}, "zh").endswith(("答复。", "处理。"))
        assert body(kind, {**facts, **unpaid}, "en").endswith(("soon.", "at it."))


def test_templates_of_others_are_filled_with_facts_as_texts_have_them() -> None:
    facts = {"amount_fen": 1250, "currency": "CNY", "points_taken": 3, "debt_after": None}
    assert words_of("PURCHASE_REFUNDED", facts, language="en", wording=WORDING) == {
        "amount": "12.50 CNY",
        "points_taken": "3",
        "debt_after": "",
    }
    assert words_of("NOBODY_KNOWS", facts, language="en", wording=WORDING) == {}
