"""What a test run says at its end: the parts it ran with, what it could not run, and counts."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

PARTS = ("sqlite", "postgresql", "redis", "JIFEN_DATA")
"""What tests can run with; JIFEN_REQUIRE_ALL_PARTS says that every one must be there."""


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

    def count(self, name: str, count: int, floor: int) -> None:
        """Print a count at the end; fail when it is below its floor, so that no test shrinks."""
        self.counts.append(f"{name}: {count:,} (floor {floor:,})")
        assert count >= floor, f"{name}: {count:,} is below its floor of {floor:,}"

    def lines(self) -> list[tuple[str, list[str]]]:
        """The sections in order; a section without lines is left out."""
        parts = [
            f"{part}: {self.parts[part]}"
            if part in self.parts
            else f"{part}: MISSING, {self.not_run[part]} tests not run: {self.missing[part]}"
            for part in PARTS
            if part in self.parts or part in self.missing
        ]
        sections = [("Parts", parts), ("Counts", self.counts), ("Notes", self.notes)]
        return [(title, lines) for title, lines in sections if lines]

    def unproven(self) -> list[str]:
        """The parts that this run did not run with, whether they were missing or not asked for."""
        return [part for part in PARTS if part not in self.parts]


def all_parts_required() -> bool:
    """Whether a missing part fails the run, as it must in CI, instead of being reported."""
    return bool(os.environ.get("JIFEN_REQUIRE_ALL_PARTS"))
