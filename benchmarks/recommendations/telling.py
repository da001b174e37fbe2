"""The figures as tables of a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from benchmarks.printing import console
from benchmarks.recommendations.complete_journey import ColdStart
from benchmarks.recommendations.judging import Figures
from domain.recommendations import Method


def print_figures(
    title: str, found: Sequence[Figures], *, floors: Mapping[tuple[Method, str], float]
) -> None:
    """A line for each method and shelf, and how many rows the later purchases changed."""
    table = Table(title=title, title_justify="left")
    for name in ("method", "shelf"):
        table.add_column(name)
    for name in (
        "members",
        "recall",
        "±",
        "known only",
        "popular",
        "coverage",
        "cold",
        "floor",
        "",
    ):
        table.add_column(name, justify="right")
    for one in found:
        for name in ("again", "discover"):
            shelf = getattr(one.quality, name)
            floor = floors.get((one.method, name))
            reached = floor is None or shelf.recall_at_10 >= floor
            table.add_row(
                one.method.value,
                name,
                f"{shelf.members:,}",
                f"{shelf.recall_at_10:.4f}",
                f"{shelf.error:.4f}",
                f"{getattr(one.known, name).recall_at_10:.4f}",
                f"{shelf.popular:.4f}",
                f"{shelf.coverage:.2f}",
                f"{shelf.cold:.3f}",
                "" if floor is None else f"{floor:.2f}",
                "" if floor is None else "reached" if reached else "MISSED",
            )
    console.print(table)
    for one in found:
        console.print(
            f"{one.method}: {one.members:,} members, {one.products:,} products; trained in"
            f" {one.train_s:.0f} s; {one.compared:,} rows compared, {one.leaked} differ once later"
            " purchases are there"
        )
    console.print()


def print_cold_start(found: Sequence[ColdStart]) -> None:
    """A line for those with lists, and one for those without."""
    table = Table(title="Complete Journey: members with themes alone", title_justify="left")
    for name in ("lists", "members", "in their themes", "labelled so", "recall", "popular"):
        table.add_column(name, justify="right")
    for one in found:
        table.add_row(
            "trained" if one.listed else "not yet",
            f"{one.members:,}",
            *(f"{share:.1%}" for share in (one.in_themes, one.labelled)),
            *(f"{value:.4f}" for value in (one.recall, one.popular)),
        )
    console.print(table)
