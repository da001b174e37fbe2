"""Tables of ratios, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

console = Console(width=110)


@dataclass(frozen=True, slots=True)
class Compared:
    """Ours beside the peer's, both per second; `goal` is the least ratio to be reached."""

    what: str
    ours: float
    peer: float
    peer_name: str
    goal: float | None = None

    @property
    def ratio(self) -> float:
        """Ours for one of the peer's."""
        return self.ours / self.peer


def print_compared(title: str, rows: list[Compared]) -> None:
    """One line for each comparison."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in ("ours/s", "peer/s", "ratio", "goal"):
        table.add_column(name, justify="right")
    table.add_column("")
    table.add_column("peer")
    for row in rows:
        reached = "" if row.goal is None else "reached" if row.ratio >= row.goal else "MISSED"
        goal = "" if row.goal is None else f"{row.goal:.2f}"
        table.add_row(
            row.what,
            f"{row.ours:,.0f}",
            f"{row.peer:,.0f}",
            f"{row.ratio:.2f}",
            goal,
            reached,
            row.peer_name,
        )
    console.print(table)


@dataclass(frozen=True, slots=True)
class Rounds:
    """Ours beside the peer's, both per second, round by round: a ratio for each round."""

    what: str
    ours: Sequence[float]
    peers: Sequence[float]
    peer_name: str
    goal: float | None = None

    @property
    def ratios(self) -> Sequence[float]:
        """Ours for one of the peer's, smallest first."""
        return sorted(one / other for one, other in zip(self.ours, self.peers, strict=True))


def print_rounds(title: str, rows: Sequence[Rounds]) -> None:
    """One line for each comparison: medians of the rates, and the ratios of the rounds."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in ("ours/s", "peer/s", "ratio: min", "median", "max", "goal"):
        table.add_column(name, justify="right")
    table.add_column("")
    table.add_column("peer")
    for row in rows:
        ratios, middle = row.ratios, median(row.ratios)
        reached = "" if row.goal is None else "reached" if middle >= row.goal else "MISSED"
        table.add_row(
            row.what,
            f"{median(row.ours):,.0f}",
            f"{median(row.peers):,.0f}",
            *(f"{ratio:.2f}" for ratio in (ratios[0], middle, ratios[-1])),
            "" if row.goal is None else f"{row.goal:.2f}",
            reached,
            row.peer_name,
        )
    console.print(table)


def print_shares(title: str, shares: Mapping[str, float]) -> None:
    """Where the time went, largest first; seconds are shown as shares of their sum."""
    table = Table(title=title, title_justify="left")
    table.add_column("part")
    table.add_column("share", justify="right")
    whole = sum(shares.values())
    for name, seconds in sorted(shares.items(), key=lambda one: -one[1]):
        table.add_row(name, f"{seconds / whole:6.1%}")
    console.print(table)
