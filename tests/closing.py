"""What a test run says at its end: the parts it ran with, what it could not run, and counts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PARTS: Final = ("sqlite", "postgresql", "redis", "JIFEN_DATA", "npm", "chromium")
"""What tests can run with."""

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "conformance": ("sqlite", "postgresql", "redis", "npm"),
    "faults": ("postgresql", "redis", "chromium"),
}
"""What JIFEN_REQUIRE_ALL_PARTS asks of a run that selects one marker."""

REQUIRED_ELSE: Final = ("sqlite", "postgresql", "redis", "JIFEN_DATA")
"""What it asks of any other run."""


@dataclass(slots=True)
class ClosingReport:
    """Collected during a run, printed by pytest after the failures."""

    parts: dict[str, str] = field(default_factory=dict)
    """How each part that a test asked for was provided, in words."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a part that a test asked for was not there."""
    not_run: Counter[str] = field(default_factory=Counter)
    """How many tests a missing part left out."""
    counts: list[str] = field(default_factory=list)
    """One line for each tally of a long-form test."""
    notes: list[str] = field(default_factory=list)
    """Lines that a guard wants read even when it passes."""
    conformance: list[str] = field(default_factory=list)
    """One line for each client of other people's that was tried, and its result."""
    left: Counter[str] = field(default_factory=Counter)
    """How many tests this run left to another command, by their marker."""

    def count(self, name: str, count: int, floor: int) -> None:
        """Print a count at the end; fail when it is below its floor, so that no test shrinks."""
        self.counts.append(f"{name}: {count:,} (floor {floor:,})")
        assert count >= floor, f"{name}: {count:,} is below its floor of {floor:,}"

    def lines(self) -> list[tuple[str, list[str]]]:
        """The sections in order; a section without lines is left out."""
        parts = [
            f"{part}: MISSING, {self.not_run[part]} tests not run: {self.missing[part]}"
            if part in self.missing
            else f"{part}: {self.parts[part]}"
            for part in PARTS
            if part in self.parts or part in self.missing
        ]
        left = [f"make {marker}: {count} tests" for marker, count in sorted(self.left.items())]
        sections = [
            ("Conformance", self.conformance),
            ("Parts", parts),
            ("Counts", self.counts),
            ("Notes", self.notes),
            ("Left to other commands", left),
        ]
        return [(title, lines) for title, lines in sections if lines]

    def unproven(self, selected: str = "") -> list[str]:
        """The required parts that this run lacked, whether missing or not asked for.

        `selected` is the marker that chose the run's tests.
        """
        required = REQUIRED.get(selected, REQUIRED_ELSE)
        return [part for part in required if part in self.missing or part not in self.parts]

    def told(self) -> dict[str, Any]:
        """The report in plain values, as one process tells it to another."""
        return {
            "parts": self.parts,
            "missing": self.missing,
            "not_run": dict(self.not_run),
            "counts": self.counts,
            "notes": self.notes,
            "conformance": self.conformance,
            "left": dict(self.left),
        }

    def absorb(self, told: Mapping[str, Any]) -> None:
        """Add what another process told of its tests."""
        self.parts |= told["parts"]
        self.missing |= told["missing"]
        self.not_run.update(told["not_run"])
        self.counts += told["counts"]
        self.notes += told["notes"]
        self.conformance += told["conformance"]
        # Every process collects all tests, so each tells the same.
        self.left |= Counter(told["left"])


def all_parts_required() -> bool:
    """Whether a missing part fails the run, as it must in CI, instead of being reported."""
    return bool(os.environ.get("JIFEN_REQUIRE_ALL_PARTS"))
