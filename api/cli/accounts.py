"""Commands about who may call: the accounts of shops, partners and staff, and their tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import Annotated, TypeAlias

import typer
from rich.markup import escape
from rich.table import Table

from api.cli.operators import operator
from api.cli.session import console, show, with_database
from api.opening import open_key_ring
from api.settings import Settings
from domain import access
from domain.access import AccessTokens, Account, CallerKind, RegisterAccount, Scope, StaffRole
from domain.audit import Actor
from domain.clock import Clock

CLIENTS = frozenset({CallerKind.SHOP, CallerKind.PARTNER})

Code: TypeAlias = Annotated[str, typer.Argument(help="The code of a client, or a login of staff.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("add-client")(add_client)
    app.command("add-staff")(add_staff)
    app.command("list-clients")(list_clients)
    app.command("list-staff")(list_staff)
    app.command("set-grants")(set_grants)
    app.command("disable-account")(disable_account)
    app.command("enable-account")(enable_account)
    app.command("revoke-tokens")(revoke_tokens)
    app.command("issue-token")(issue_token)


def add_client(
    code: Annotated[str, typer.Argument(help="The client's code, for ever.")],
    name: Annotated[str, typer.Option(help="What people call it.")],
    kind: Annotated[CallerKind, typer.Option(help="shop or partner.")] = CallerKind.SHOP,
    scope: Annotated[list[Scope] | None, typer.Option(help="What it may do.")] = None,
) -> None:
    """Register a shop or a partner platform."""
    if kind not in CLIENTS:
        raise typer.BadParameter("shop or partner", param_hint="--kind")
    grants = frozenset[str](scope or ())
    _register(RegisterAccount(kind=kind, code=code, name=name, grants=grants))


def add_staff(
    login: Annotated[str, typer.Argument(help="The login, for ever.")],
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[list[StaffRole] | None, typer.Option(help="What the person may do.")] = None,
) -> None:
    """Register a person who works for the merchant."""
    grants = frozenset[str](role or ())
    _register(RegisterAccount(kind=CallerKind.STAFF, code=login, name=name, grants=grants))


def list_clients() -> None:
    """Show the shops and the partner platforms."""
    _list(CLIENTS)


def list_staff() -> None:
    """Show the people who work for the merchant."""
    _list({CallerKind.STAFF})


def set_grants(
    code: Code,
    grants: Annotated[
        list[str] | None, typer.Argument(help="Scopes of a client, or roles of staff.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="It may do nothing any more.")] = False,
) -> None:
    """Give an account these scopes or roles instead of those it holds, at once."""
    if none is bool(grants):
        raise typer.BadParameter("name at least one, or --none to take all", param_hint="GRANTS")
    wanted = frozenset(grants or ())
    _change(lambda by, now: access.change_grants(code, wanted, by=by, now=now))


def disable_account(code: Code) -> None:
    """Take all access from an account, at once."""
    _change(lambda by, now: access.disable_account(code, by=by, now=now))


def enable_account(code: Code) -> None:
    """Let a disabled account have tokens again; those it had stay refused."""
    _change(lambda by, now: access.enable_account(code, by=by, now=now))


def revoke_tokens(code: Code) -> None:
    """End every token that an account has now."""
    _change(lambda by, now: access.revoke_tokens(code, by=by, now=now))


def issue_token(
    code: Code,
    scope: Annotated[
        list[str] | None, typer.Option(help="Only these of its scopes, or of the person's roles.")
    ] = None,
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="How long it lives.")] = 15,
) -> None:
    """Print an access token for a client or for staff."""

    async def work(settings: Settings, clock: Clock) -> str:
        now = clock.now()
        token, _ = await access.issue_token(
            code,
            by=operator(),
            tokens=AccessTokens(open_key_ring(settings, now=now), settings.issuer),
            now=now,
            grants=frozenset(scope) if scope else None,
            ttl=timedelta(minutes=minutes),
        )
        return token

    typer.echo(with_database(work))


def _register(command: RegisterAccount) -> None:
    _change(lambda by, now: access.register_account(command, by=by, now=now))


def _change(act: Callable[[Actor, datetime], Awaitable[Account]]) -> None:
    """Do it as the user who runs this command, and say how the account stands afterwards."""

    async def work(settings: Settings, clock: Clock) -> Account:
        return await act(operator(), clock.now())

    account = with_database(work)
    held = " ".join(sorted(account.grants)) or "nothing"
    state = " (disabled)" if account.disabled_at else ""
    console.print(f"{account.kind} {account.code}{state}: {held}", markup=False, soft_wrap=True)


def _list(kinds: Collection[CallerKind]) -> None:
    async def work(settings: Settings, clock: Clock) -> list[Account]:
        return list(await access.accounts(kinds))

    table = Table("code", "name", "kind", "holds", "since", "state", box=None, pad_edge=False)
    for account in with_database(work):
        table.add_row(
            *(account.code, escape(account.name), account.kind.value),
            " ".join(sorted(account.grants)),
            f"{account.created_at:%Y-%m-%d}",
            "enabled"
            if account.disabled_at is None
            else f"disabled {account.disabled_at:%Y-%m-%d}",
        )
    show(table)
