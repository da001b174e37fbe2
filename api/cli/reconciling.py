"""The command that writes the files of a day for partners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer

from api.cli.operators import tell_the_log
from api.cli.session import console, stop, with_database
from api.settings import Settings
from domain import games
from domain.audit import Target
from domain.clock import Clock
from domain.games import Partner, Reconciliation
from domain.paging import PageRequest
from domain.program import program

_PARTNERS_AT_ONCE = 100


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("reconcile-games")(reconcile_games)


def reconcile_games(
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="A day that is over; else yesterday."),
    ] = None,
    partner: Annotated[str | None, typer.Option(help="The code of one partner; else all.")] = None,
) -> None:
    """Write a day's files for partners anew, as everything stands now."""

    async def work(settings: Settings, clock: Clock) -> list[tuple[Partner, Reconciliation | None]]:
        now, zone = clock.now(), (await program()).zone
        wanted = (now.astimezone(zone) - timedelta(days=1)).date() if day is None else day.date()
        if wanted < (now - games.RECONCILIATIONS_KEPT).date():
            stop(f"{wanted} is too long ago: files are kept {games.RECONCILIATIONS_KEPT.days} days")
        if not games.is_over(wanted, zone=zone, now=now):
            stop(f"{wanted} is not over yet in {zone.key}")
        chosen = await _all() if partner is None else [await games.known_partner(partner)]
        target = Target(kind="reconciliation", id=f"{partner or 'all'}:{wanted}")
        await tell_the_log("games.reconcile", target, now=now)
        files = settings.reconciliation_files
        written = []
        for one in chosen:
            made = await games.write_reconciliation(
                one, wanted, files=files, zone=zone, now=now, again=True
            )
            written.append((one, made))
        return written

    for one, made in with_database(work):
        told = "as it was"
        if made is not None:
            told = f"{made.items:,} items, {made.points:,} points, sha256 {made.sha256}"
        console.print(f"{one.code}: {told}", highlight=False, markup=False, soft_wrap=True)


async def _all() -> Sequence[Partner]:
    """Every partner."""
    found: list[Partner] = []
    request = PageRequest(first=_PARTNERS_AT_ONCE)
    while True:
        page = await games.partners_page(request)
        found += [partner for partner, _ in page.items]
        if not page.has_next:
            return found
        request = PageRequest(first=_PARTNERS_AT_ONCE, after=page.keys[-1])
