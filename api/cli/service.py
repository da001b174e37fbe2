"""The command that looks after what service promised."""

from __future__ import annotations

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.session import console, with_database
from api.settings import Settings
from domain import feedback
from domain.clock import Clock
from domain.feedback import Watched


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("watch-deadlines")(watch_deadlines)


def watch_deadlines() -> None:
    """Note deadlines of tickets that passed, pay and tell, as the workers do each minute."""

    async def work(settings: Settings, clock: Clock) -> Watched:
        now = clock.now()
        with Progress(
            TextColumn("watching"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("deadlines, {task.fields[points]:,} points"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as progress:
            total = await feedback.deadlines_missed(now=now)
            task = progress.add_task("", total=total, points=0)
            return await feedback.watch_deadlines(
                now=now,
                within_s=_NO_LIMIT,
                progress=lambda watched: progress.update(
                    task, completed=watched.breaches, points=watched.points
                ),
            )

    watched = with_database(work)
    told = f"{watched.breaches:,} deadlines were missed, {watched.points:,} points were paid"
    if watched.unpaid:
        told += f"; {watched.unpaid:,} wait for an account that cannot take them"
    console.print(told, highlight=False)


_NO_LIMIT = 10**9
