"""Tables of ratios, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


def print_shares(title: str, shares: Mapping[str, float]) -> None:
    """Where the time went, largest first; seconds are shown as shares of their sum."""
    table = Table(title=title, title_justify="left")
    table.add_column("part")
    table.add_column("share", justify="right")
    whole = sum(shares.values())
    for name, seconds in sorted(shares.items(), key=lambda one: -one[1]):
        table.add_row(name, f"{seconds / whole:6.1%}")
    console.print(table)
