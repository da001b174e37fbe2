"""Commands about who may call: API clients, staff, tokens, signing keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from api.cli.session import console, with_database
from api.opening import open_key_ring
from api.settings import Settings, read_settings
from domain import access
from domain.access import AccessTokens, CallerKind
from domain.clock import Clock


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("add-client")(add_client)
    app.command("add-staff")(add_staff)
    app.command("issue-token")(issue_token)
    app.command("create-keys")(create_keys)
    app.command("rotate-keys")(rotate_keys)


def add_client(
    code: Annotated[str, typer.Argument(help="The client's code, for ever.")],
    name: Annotated[str, typer.Option(help="What people call it.")],
    kind: Annotated[CallerKind, typer.Option(help="shop or partner.")] = CallerKind.SHOP,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do, for example purchases:write.")
    ] = None,
) -> None:
    """Register a shop or a partner platform."""

    async def work(settings: Settings, clock: Clock) -> access.ApiClient:
        command = access.RegisterClient(
            code=code, name=name, kind=kind, scopes=frozenset(scope or ())
        )
        return await access.register_client(command, now=clock.now())

    client = with_database(work)
    console.print(f"{client.kind} {client.code}: {' '.join(sorted(client.scopes))}", markup=False)


def add_staff(
    login: Annotated[str, typer.Argument(help="The login, for ever.")],
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[list[str] | None, typer.Option(help="What the person may do.")] = None,
) -> None:
    """Register a person who works for the merchant."""

    async def work(settings: Settings, clock: Clock) -> access.StaffAccount:
        command = access.RegisterStaff(login=login, name=name, roles=frozenset(role or ()))
        return await access.register_staff(command, now=clock.now())

    account = with_database(work)
    console.print(f"staff {account.login}: {' '.join(sorted(account.roles))}", markup=False)


def issue_token(
    code: Annotated[str, typer.Argument(help="The code of a client, or the login of staff.")],
    staff: Annotated[bool, typer.Option("--staff", help="It is a login of staff.")] = False,
    scope: Annotated[list[str] | None, typer.Option(help="Only these scopes.")] = None,
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="How long it lives.")] = 15,
) -> None:
    """Print an access token for a client or for staff."""

    async def work(settings: Settings, clock: Clock) -> str:
        now = clock.now()
        tokens = AccessTokens(open_key_ring(settings, now=now), settings.issuer)
        ttl = timedelta(minutes=minutes)
        if staff:
            token, _ = await access.issue_staff_token(code, tokens=tokens, now=now, ttl=ttl)
        else:
            token, _ = await access.issue_client_token(
                code, tokens=tokens, now=now, scopes=frozenset(scope) if scope else None, ttl=ttl
            )
        return token

    typer.echo(with_database(work))


def create_keys() -> None:
    """Make the set of signing keys at JIFEN_KEY_SET_PATH, unless it is there."""
    path = read_settings().key_set_path
    made = access.create_key_set(path, now=datetime.now(UTC))
    console.print(f"{'made' if made else 'there already:'} {path}", markup=False)


def rotate_keys() -> None:
    """Take the next step of a key rotation: publish a new key, then let it sign."""

    async def work(settings: Settings, clock: Clock) -> str:
        now = clock.now()
        return str(open_key_ring(settings, now=now).rotate(now))

    console.print(with_database(work), markup=False)
