"""The command that writes what fell due in the points ledger."""

from __future__ import annotations

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.session import console, with_database
from api.settings import Settings
from domain import ledger
from domain.clock import Clock
from domain.ledger import Swept


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("sweep-points")(sweep_points)


def sweep_points() -> None:
    """Write what matured, expired or ran out by itself, as the workers do each minute."""

    async def work(settings: Settings, clock: Clock) -> Swept:
        now = clock.now()
        with Progress(
            TextColumn("sweeping"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("accounts, {task.fields[entries]:,} entries"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as progress:
            task = progress.add_task("", total=await ledger.accounts_due(now=now), entries=0)
            return await ledger.sweep(
                now=now,
                accounts_max=_NO_LIMIT,
                within_s=_NO_LIMIT,
                progress=lambda swept: progress.update(
                    task, completed=swept.accounts, entries=swept.entries
                ),
            )

    swept = with_database(work)
    console.print(
        f"{swept.entries:,} entries written, {swept.accounts:,} accounts are up to date",
        highlight=False,
    )


_NO_LIMIT = 10**9
