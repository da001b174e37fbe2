"""The table of refunds in docs/shops.md: each row is what the rules reckon."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import pytest

from domain.purchases.rules import EarningLine, RefundedLine, points_earned, points_kept
from tests.repository.tree import ROOT

LINES: Final = {"tea": EarningLine(16_800, 1_500), "coffee": EarningLine(9_800, 1_000)}
HEAD: Final = "| paid | given back, one after the other | points earned | points taken each time |"
_REFUND: Final = re.compile(r"(?P<all>[\d.]+)(?: \((?P<line>\w+) (?P<part>[\d.]+)\))?(?:, |$)")


def rows() -> list[tuple[str, ...]]:
    """The cells of each row of the table."""
    _, _, table = (ROOT / "docs" / "shops.md").read_text().partition(f"{HEAD}\n")
    body = table.partition("\n\n")[0].splitlines()[1:]
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in body]


def fen(yuan: str) -> int:
    return round(float(yuan) * 100)


@pytest.mark.parametrize(("paid", "refunds", "earned", "taken"), rows())
def test_a_row_is_what_is_reckoned(paid: str, refunds: str, earned: str, taken: str) -> None:
    whole = points_earned(LINES.values(), paid_fen=fen(paid), multiplier_permille=1_000)
    assert whole == int(earned)
    back, parts, found = 0, Counter[str](), list[int]()
    for refund in _REFUND.finditer(refunds):
        back += fen(refund["all"])
        if refund["line"]:
            parts[refund["line"]] += fen(refund["part"])
        kept = points_kept(
            [
                RefundedLine(line.amount_fen, line.rate_permille, parts[name])
                for name, line in LINES.items()
            ],
            paid_fen=fen(paid),
            refunded_fen=back,
            multiplier_permille=1_000,
        )
        found.append(whole - kept - sum(found))
    assert found == [int(points) for points in taken.split(", ")]


def test_the_table_is_read() -> None:
    assert len(rows()) == 6
