"""docs/errors.md is the catalogue of the codes that are answered."""

from __future__ import annotations

from domain.errors import ErrorCode
from schema.catalogue_of_errors import error_catalogue
from schema.faults import FaultCode
from tests.repository.tree import ROOT


def test_the_catalogue_is_current() -> None:
    """`python -m api.cli print-errors` writes it anew; then read the diff."""
    assert (ROOT / "docs" / "errors.md").read_text() == error_catalogue()


def test_every_code_has_one_row() -> None:
    rows = [line.split("`")[1] for line in error_catalogue().splitlines() if line[:3] == "| `"]
    assert sorted(rows) == sorted([*ErrorCode, *FaultCode])


def test_a_row_tells_the_facts_and_both_texts() -> None:
    assert (
        "| `INSUFFICIENT_POINTS` | the available points do not cover the request | no "
        "| `InsufficientPoints`: `available`, `requested`, `shortfall` "
        "| 积分不足：需要 {requested}，可用 {available} "
        "| Not enough points: {requested} needed, {available} available |"
    ) in error_catalogue().splitlines()
