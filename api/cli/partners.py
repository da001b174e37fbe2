"""Commands about partner platforms: taking them in, changing them, and giving them keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Table

from api.cli.ledger import id_of_member
from api.cli.operators import operator
from api.cli.session import console, show, with_database
from api.settings import Settings
from domain import games
from domain.access import Account, Scope
from domain.audit import Actor
from domain.clock import Clock
from domain.games import (
    AddPartnerKey,
    ChangePartner,
    KeyAdded,
    KeyKind,
    Partner,
    PartnerKey,
    RegisterPartner,
)
from domain.paging import PageRequest

_PAGE = 100

Code: TypeAlias = Annotated[str, typer.Argument(help="The code of a partner platform.")]
Points: TypeAlias = Annotated[
    int | None, typer.Option(min=0, help="What its grants may add up to on one day.")
]
PointsOfMember: TypeAlias = Annotated[
    int | None, typer.Option(min=0, help="The same for one member.")
]
Networks: TypeAlias = Annotated[
    list[str] | None, typer.Option("--network", help="From where it may call, as CIDR.")
]
WebhookUrl: TypeAlias = Annotated[str | None, typer.Option(help="Where it is told what happened.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("add-partner")(add_partner)
    app.command("change-partner")(change_partner)
    app.command("bind-sandbox-member")(bind_sandbox_member)
    app.command("list-partners")(list_partners)
    app.command("add-partner-key")(add_partner_key)
    app.command("retire-partner-key")(retire_partner_key)


def add_partner(
    code: Annotated[str, typer.Argument(help="The merchant's code for it, for ever.")],
    *,
    name_zh: Annotated[str, typer.Option(help="What it is called in Chinese.")],
    name_en: Annotated[str, typer.Option(help="What it is called in English.")],
    points_per_day: Annotated[
        int, typer.Option(min=0, help="What its grants may add up to on one day.")
    ],
    points_per_member_day: Annotated[int, typer.Option(min=0, help="The same for one member.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may do; left out: rewards:write and rewards:read."),
    ] = None,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help="It tries things out, with members from `bind-sandbox-member`; points are real.",
        ),
    ] = False,
    network: Networks = None,
    webhook_url: WebhookUrl = None,
) -> None:
    """Take a partner platform in, or a client of kind partner that is there already."""
    command = RegisterPartner(
        code=code,
        name_zh=name_zh,
        name_en=name_en,
        scopes=frozenset(scope or (Scope.REWARDS_WRITE, Scope.REWARDS_READ)),
        points_per_day=points_per_day,
        points_per_member_day=points_per_member_day,
        sandbox=sandbox,
        networks=tuple(network or ()),
        webhook_url=webhook_url,
    )
    _change(lambda by, now: games.register_partner(command, by=by, now=now))


def change_partner(
    code: Code,
    *,
    name_zh: Annotated[str | None, typer.Option(help="What it is called in Chinese.")] = None,
    name_en: Annotated[str | None, typer.Option(help="What it is called in English.")] = None,
    points_per_day: Points = None,
    points_per_member_day: PointsOfMember = None,
    scope: Annotated[list[Scope] | None, typer.Option(help="What it may do from now on.")] = None,
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="It no longer only tries things out.")
    ] = False,
    network: Networks = None,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="It may call from anywhere.")
    ] = False,
    webhook_url: WebhookUrl = None,
    no_webhooks: Annotated[bool, typer.Option("--no-webhooks", help="It is told nothing.")] = False,
) -> None:
    """Change what is named of a partner; the rest stays."""
    if network and anywhere:
        raise typer.BadParameter("--network or --anywhere", param_hint="--network")
    if webhook_url and no_webhooks:
        raise typer.BadParameter("--webhook-url or --no-webhooks", param_hint="--webhook-url")
    given: dict[str, Any] = {
        "name_zh": name_zh,
        "name_en": name_en,
        "points_per_day": points_per_day,
        "points_per_member_day": points_per_member_day,
        "sandbox": False if no_sandbox else None,
        "networks": () if anywhere else tuple(network) if network else None,
        "webhook_url": webhook_url,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if no_webhooks:
        changes["webhook_url"] = None
    if not changes and not scope:
        raise typer.BadParameter("say what to change")

    async def act(by: Actor, now: datetime) -> Partner:
        command = ChangePartner(
            code=code,
            version=(await games.known_partner(code)).version,
            changes=changes,
            scopes=frozenset(scope) if scope else None,
        )
        return await games.change_partner(command, by=by, now=now)

    _change(act)


def bind_sandbox_member(
    code: Code,
    member: Annotated[str, typer.Argument(help="The id of a member who knows of it.")],
) -> None:
    """Bind a member to a partner that tries things out: nobody else can be."""
    member_id = id_of_member(member)

    async def work(settings: Settings, clock: Clock) -> Partner:
        return await games.bind_sandbox_member(code, member_id, by=operator(), now=clock.now())

    partner = with_database(work)
    console.print(f"{member_id} is bound to {partner.code}", highlight=False, soft_wrap=True)


def list_partners() -> None:
    """Show the partner platforms with their keys that count."""

    async def work(settings: Settings, clock: Clock) -> list[_Listed]:
        now, found, after = clock.now(), [], None
        while True:
            page = await games.partners_page(PageRequest(first=_PAGE, after=after))
            for partner, account in page.items:
                keys = await games.keys_of(partner.account_id)
                found.append((partner, account, [one for one in keys if one.counts(now)]))
            if not page.has_next:
                return found
            after = (found[-1][0].code,)

    table = Table(
        *("code", "name", "points a day", "of a member", "networks", "webhooks", "keys", "state"),
        box=None,
        pad_edge=False,
    )
    for partner, account, keys in with_database(work):
        table.add_row(
            *(partner.code, escape(f"{partner.name_zh} ({partner.name_en})")),
            *(f"{partner.points_per_day:,}", f"{partner.points_per_member_day:,}"),
            *(" ".join(partner.networks) or "any", partner.webhook_url or "none"),
            "\n".join(f"{one.kind.value} {one.id}" for one in keys) or "none",
            _state(partner, account),
        )
    show(table)


def add_partner_key(
    code: Code,
    kind: Annotated[KeyKind, typer.Argument(help="What the key is for.")],
    public_key: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The file of the partner's public key (PEM, or whpk_…), for ED25519 and JWT.",
        ),
    ] = None,
) -> None:
    """Give a partner a key; a secret that is made for it is printed this once."""

    async def work(settings: Settings, clock: Clock) -> KeyAdded:
        given = None if public_key is None else public_key.read_bytes().decode(errors="replace")
        command = AddPartnerKey(code=code, kind=kind, public_key=given)
        return await games.add_partner_key(command, by=operator(), now=clock.now())

    added = with_database(work)
    console.print(f"{added.key.kind.value} {added.key.id}", markup=False, soft_wrap=True)
    if added.secret is not None:
        typer.echo(added.secret)


def retire_partner_key(
    code: Code,
    key_id: Annotated[UUID, typer.Argument(help="Which key: `list-partners` names them.")],
    at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            help="Until when it counts, such as 2026-12-01T00:00:00+0800; left out: no longer.",
        ),
    ] = None,
) -> None:
    """Let a key of a partner count no longer, or only until a moment."""

    async def work(settings: Settings, clock: Clock) -> PartnerKey:
        return await games.retire_partner_key(code, key_id, at=at, by=operator(), now=clock.now())

    key = with_database(work)
    console.print(
        f"{key.kind.value} {key.id} counts until {key.retires_at:%Y-%m-%dT%H:%M:%SZ}",
        markup=False,
        soft_wrap=True,
    )


_Listed: TypeAlias = tuple[Partner, Account, list[PartnerKey]]


def _state(partner: Partner, account: Account) -> str:
    if account.disabled_at is not None:
        return f"disabled {account.disabled_at:%Y-%m-%d}"
    return "sandbox" if partner.sandbox else "enabled"


def _change(act: Callable[[Actor, datetime], Awaitable[Partner]]) -> None:
    """Do it as the user who runs this command, and say how the partner stands afterwards."""

    async def work(settings: Settings, clock: Clock) -> Partner:
        return await act(operator(), clock.now())

    partner = with_database(work)
    console.print(
        f"partner {partner.code}, version {partner.version}: {partner.points_per_day:,} points a"
        f" day, {partner.points_per_member_day:,} of a member",
        markup=False,
        soft_wrap=True,
    )
