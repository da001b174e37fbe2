"""The command that re-evaluates levels."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.session import console, with_database
from api.settings import Settings
from domain import tiers
from domain.clock import Clock
from domain.program import program
from domain.tiers import Evaluated, LevelWalk


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("evaluate-levels")(evaluate_levels)


def evaluate_levels(
    everybody: Annotated[
        bool,
        typer.Option(
            "--all/--due",
            help="All members, as after a change of levels or rules; or only those who are due.",
        ),
    ] = False,
) -> None:
    """Review the levels that are due, as the workers do, or those of all members."""

    async def work(settings: Settings, clock: Clock) -> Evaluated:
        now, zone = clock.now(), (await program()).zone
        total = await tiers.members_to_evaluate() if everybody else await tiers.members_due(now=now)
        with Progress(
            TextColumn("evaluating"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("members, {task.fields[changed]:,} changed"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as progress:
            task = progress.add_task("", total=total, changed=0)

            def told(found: Evaluated) -> None:
                progress.update(task, completed=found.members, changed=found.changed)

            due = await tiers.settle_due_levels(now=now, zone=zone, told=told)
            if not everybody:
                return due
            # One that was cut off is gone on with, whoever began it and whenever that was.
            walk = LevelWalk(name="by-hand", slot_at=None)
            found = await tiers.evaluate_levels(walk, now=now, zone=zone, told=told)
            return found.also(due)

    found = with_database(work)
    console.print(
        f"{found.members:,} members evaluated, {found.changed:,} changed", highlight=False
    )
