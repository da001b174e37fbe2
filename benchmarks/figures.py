"""Single figures beside their goals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks.printing import console


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that was measured several times; `reached` is None where nothing was to be."""

    goal: str
    what: str
    least: float
    median: float
    most: float
    unit: str
    asked: str
    reached: bool | None

    def row(self) -> list[str]:
        """As a line of a table."""
        verdict = {None: "", True: "reached", False: "**missed**"}[self.reached]
        values = [f"{one:,.2f}" for one in (self.least, self.median, self.most)]
        return [self.goal, self.what, *values, self.unit, self.asked, verdict]


HEADING = ["goal", "", "least", "median", "most", "", "asked", ""]


def print_figures(title: str, figures: Sequence[Figure]) -> None:
    """A line for each."""
    table = Table(title=title, title_justify="left")
    for name in HEADING:
        table.add_column(name, justify="right" if name in {"least", "median", "most"} else "left")
    for figure in figures:
        table.add_row(*(one.replace("**", "") for one in figure.row()))
    console.print(table)


def write_figures(title: str, figures: Sequence[Figure], file: Path) -> None:
    """The same as a page of Markdown."""
    file.parent.mkdir(exist_ok=True)
    lines = [HEADING, ["---"] * len(HEADING), *(figure.row() for figure in figures)]
    table = "\n".join(f"| {' | '.join(one)} |" for one in lines)
    file.write_text(f"# {title}\n\n{table}\n", "utf-8")
    console.print(f"written: {file}")
