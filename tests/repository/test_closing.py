"""The closing report tells what a run had, what it lacked, and refuses counts that shrink."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.closing import ClosingReport

ROOT = Path(__file__).parents[2]


def test_a_count_is_printed_and_fails_below_its_floor() -> None:
    report = ClosingReport()
    report.count("runs", 2_000, 2_000)
    with pytest.raises(AssertionError, match="kills: 9 is below its floor of 10"):
        report.count("kills", 9, 10)
    assert report.lines() == [("Counts", ["runs: 2,000 (floor 2,000)", "kills: 9 (floor 10)"])]


def test_a_missing_part_is_named_with_the_tests_it_left_out() -> None:
    report = ClosingReport(
        parts={"sqlite": "3.40"}, missing={"postgresql": "no binaries"}, notes=["a note"]
    )
    report.not_run["postgresql"] += 2
    assert report.lines() == [
        ("Parts", ["sqlite: 3.40", "postgresql: MISSING, 2 tests not run: no binaries"]),
        ("Notes", ["a note"]),
    ]
    assert report.unproven() == ["postgresql", "redis", "JIFEN_DATA"]


def test_a_green_run_without_the_required_parts_is_red() -> None:
    """The same run is green where parts are not required."""
    for required, status in (("", 0), ("1", 1)):
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "tests/repository/test_sockets.py"],
            cwd=ROOT,
            env=os.environ | {"JIFEN_REQUIRE_ALL_PARTS": required},
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == status, run.stdout
        assert ("postgresql: REQUIRED, and no test ran with it" in run.stdout) == bool(status)
