"""Commands about members' own records."""

from __future__ import annotations

import typer

from api.cli.operators import tell_the_log
from api.cli.session import console, with_database
from api.logs import configure_logs
from api.opening import open_phone_keys
from api.settings import Settings
from domain import custody
from domain.audit import Target
from domain.clock import Clock


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("erase-again")(erase_again)


def erase_again() -> None:
    """After a backup was restored: erase those whom it brought back, by the journal of erasures."""

    async def work(settings: Settings, clock: Clock) -> custody.ErasedAgain:
        configure_logs(production=settings.is_production, level=settings.log_level)
        kept, now = settings.custody, clock.now()
        open_phone_keys(settings, now=now)
        await tell_the_log(
            "members.erase_again", Target(kind="journal", id=str(kept.erasures_path)), now=now
        )
        return await custody.erase_again(journal=kept.journal, files=kept.files, now=now)

    again = with_database(work)
    console.print(f"erased again: {again.erased:,}", highlight=False)
    for member_id in again.left:
        console.print(
            f"not erased: {member_id} is joined to a record that is not in the journal,"
            " and cannot be parted from it",
            highlight=False,
            soft_wrap=True,
        )
    if again.left:
        raise typer.Exit(1)
