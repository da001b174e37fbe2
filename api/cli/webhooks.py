"""Commands about webhooks: what a partner was told, and sending it again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from api.cli.operators import operator
from api.cli.session import console, show, with_database
from api.settings import Settings
from domain import games
from domain.clock import Clock
from domain.games import WebhookDelivery
from domain.paging import PageRequest

Code = Annotated[str, typer.Argument(help="The code of a partner platform.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(help="Look after what partners are told.", no_args_is_help=True)
    group.command("list")(list_webhooks)
    group.command("replay")(replay)
    group.command("enable")(enable)
    app.add_typer(group, name="webhooks")


def list_webhooks(
    code: Code,
    first: Annotated[int, typer.Option(min=1, max=1_000, help="Show at most so many.")] = 20,
) -> None:
    """Show what the partner was told, the newest first."""

    async def look(settings: Settings, clock: Clock) -> tuple[datetime | None, _Shown]:
        partner = await games.known_partner(code)
        page = await games.deliveries_page(partner.account_id, PageRequest(first=first))
        return await games.given_up_at(partner), list(page.items)

    disabled_at, found = with_database(look)
    if disabled_at is not None:
        console.print(f"nothing is sent since {disabled_at:%Y-%m-%dT%H:%M:%SZ}: it answered 410")
    table = Table(
        *("webhook", "type", "state", "sent", "made at", "next at", "last answer"),
        box=None,
        pad_edge=False,
    )
    for one in found:
        table.add_row(
            *(one.message_id, one.type, one.state.value, str(one.attempts)),
            *(_moment(one.created_at), _moment(one.next_at)),
            " ".join(str(part) for part in (one.last_status, one.last_error) if part is not None),
        )
    if not found:
        console.print("it was told nothing")
        return
    show(table)


def replay(
    code: Code,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            help="What was made then or later, such as 2026-12-01T00:00:00+0800.",
        ),
    ] = None,
    webhook: Annotated[list[str] | None, typer.Option(help="One by its id, msg_….")] = None,
) -> None:
    """Send webhooks of a partner again, under their ids, whatever became of them."""
    try:
        ids = [UUID(one.removeprefix("msg_")) for one in webhook] if webhook else None
    except ValueError:
        raise typer.BadParameter("ids like msg_…", param_hint="--webhook") from None

    async def ask(settings: Settings, clock: Clock) -> int:
        return await games.replay_webhooks(
            code, since=since, ids=ids, by=operator(), now=clock.now()
        )

    console.print(f"webhooks to be sent again: {with_database(ask)}")


def enable(code: Code) -> None:
    """Send to the partner's address again after it answered that it is gone."""

    async def work(settings: Settings, clock: Clock) -> None:
        await games.enable_webhooks(code, by=operator(), now=clock.now())

    with_database(work)
    console.print(f"webhooks go to {code} again", markup=False, soft_wrap=True)


_Shown = list[WebhookDelivery]


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
