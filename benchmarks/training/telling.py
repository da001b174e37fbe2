"""The figures of trainings as a table of a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.table import Table

from benchmarks.printing import console
from benchmarks.training.measuring import SERVED, Training
from benchmarks.training.rows import ORDERS, Sizes

STAGES: Final = ("counting", "training", "model", "lists", "interests")
"""In the order that they follow each other in."""


def print_trainings(sizes: Sizes, found: Sequence[Training]) -> None:
    """A column for each training."""
    lines = sizes.members * ORDERS * sizes.lines_of_an_order
    console.print(
        f"Training: {sizes.members:,} members, {sizes.products:,} products, {lines:,} purchases"
    )
    table = Table()
    table.add_column("")
    for one in found:
        table.add_column(one.method.value, justify="right")
    for stage in STAGES:
        table.add_row(f"{stage}, s", *(f"{one.stages[stage]:.1f}" for one in found))
    table.add_row("the whole process, s", *(f"{one.took_s:.1f}" for one in found))
    table.add_row("peak memory, MB", *(f"{one.peak_mb:.0f}" for one in found))
    table.add_row("members with lists", *(f"{one.listed:,}" for one in found))
    table.add_row(f"statements to serve {SERVED}", *(str(one.statements) for one in found))
    for name, place in (("half", 0), ("longest", 1)):
        table.add_row(
            f"serving {SERVED}, ms: {name}", *(f"{one.served_ms[place]:.1f}" for one in found)
        )
    console.print(table)
