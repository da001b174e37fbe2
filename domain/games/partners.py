"""Partner platforms: accounts that may push rewards, with caps, networks and a webhook.

What a partner may do, and whether it is enabled, stands with its access account; here is what
belongs to games. Every change is told to the audit log with its version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from domain import access, audit
from domain.access import Account, CallerKind, RegisterAccount
from domain.audit import Actor, Target
from domain.errors import CodeTaken, DefinitionChanged, InvalidInput, PartnerUnknown
from domain.games.partner_terms import clean_terms
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, execute, fetch_all, fetch_one, transaction
from domain.texts import is_storable

CODE_CHARACTERS_MAX: Final = 56
"""With `partner:` before it a code is the purpose of a consent, which has 64 characters."""

CHANGEABLE: Final = frozenset(
    [
        "name_zh",
        "name_en",
        "sandbox",
        "points_per_day",
        "points_per_member_day",
        "networks",
        "webhook_url",
    ]
)
"""What may change of a partner, beside its scopes. Its code is for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A partner platform.

    `account_id` is that of its access account. `networks` are those that it may call from, as CIDR;
    none means any. `points_per_day` and `points_per_member_day` bound what its grants add up to on
    one day of the programme, in all and for one member. A `sandbox` partner tries things out, with
    members whom staff has bound to it.
    """

    account_id: UUID
    code: str
    name_zh: str
    name_en: str
    sandbox: bool
    points_per_day: int
    points_per_member_day: int
    networks: tuple[str, ...]
    webhook_url: str | None
    created_at: datetime
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterPartner:
    """Take a partner platform in: an account with these scopes, and what belongs to games."""

    code: str
    name_zh: str
    name_en: str
    scopes: frozenset[str]
    points_per_day: int
    points_per_member_day: int
    sandbox: bool = False
    networks: tuple[str, ...] = ()
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePartner:
    """Change what is named of a partner that stands at `version`; `scopes` None stay."""

    code: str
    version: int
    changes: Mapping[str, Any]
    scopes: frozenset[str] | None = None


async def register_partner(command: RegisterPartner, *, by: Actor, now: datetime) -> Partner:
    """Make the partner and its account. The same one again is answered with what it made.

    An account of kind partner that exists already is taken over if it is the same. Refused:
    InvalidInput, CodeTaken.
    """
    if len(command.code) > CODE_CHARACTERS_MAX:
        raise InvalidInput(field=("code",), rule=f"at most {CODE_CHARACTERS_MAX} characters")
    access.clean_grants(command.scopes, kind=CallerKind.PARTNER, field=("scopes",))
    wanted = Partner(
        account_id=UUID(int=0),
        **{name: getattr(command, name) for name in ("code", *CHANGEABLE)},
        created_at=now,
        changed_at=now,
        version=1,
    )
    wanted = replace(wanted, **clean_terms(_terms(wanted)))

    async def work() -> Partner:
        account = await access.register_account(
            RegisterAccount(
                kind=CallerKind.PARTNER,
                code=command.code,
                name=command.name_zh,
                grants=command.scopes,
            ),
            by=by,
            now=now,
        )
        known = await _read(command.code)
        if known is not None and _terms(known) != _terms(wanted):
            raise CodeTaken(field=("code",), account=command.code)
        partner = known or replace(wanted, account_id=account.id)
        if known is None:
            await _insert(partner)
        after = _terms(partner) | {"version": partner.version}
        _record(by, "partner.register", partner, after=after, now=now)
        return partner

    return await transaction(work)


async def change_partner(command: ChangePartner, *, by: Actor, now: datetime) -> Partner:
    """Change a partner; what it pushed stays as it is. Only one that members could never allow by
    themselves tries things out, so none does so later.

    Refused: PartnerUnknown, DefinitionChanged (somebody was faster), InvalidInput.
    """
    assert command.changes.keys() <= CHANGEABLE, "the code is for ever"

    async def work() -> Partner:
        before = await _read(command.code, lock="FOR NO KEY UPDATE")
        if before is None:
            raise PartnerUnknown(field=("code",))
        if before.version != command.version:
            raise DefinitionChanged(version=before.version, field=("version",))
        after = replace(before, **command.changes)
        after = replace(after, **clean_terms(_terms(after)))
        if after.sandbox and not before.sandbox:
            raise InvalidInput(field=("sandbox",), rule="false: members may have allowed it")
        was, is_now = _terms(before), _terms(after)
        differing = [name for name in was if was[name] != is_now[name]]
        given = await _given_scopes(command, by=by, now=now)
        if differing or given:
            after = replace(after, version=before.version + 1, changed_at=now)
            await _update(after)
        _record(
            by,
            "partner.change",
            after,
            before={name: was[name] for name in differing} | {"version": before.version},
            after={name: is_now[name] for name in differing} | {"version": after.version},
            now=now,
        )
        return after

    return await transaction(work)


async def disable_partner(code: str, *, by: Actor, now: datetime) -> Partner:
    """Take all access from the partner, at once. PartnerUnknown."""
    partner = await known_partner(code)
    await access.disable_account(code, by=by, now=now)
    return partner


async def enable_partner(code: str, *, by: Actor, now: datetime) -> Partner:
    """Let the partner have tokens again; those of before stay refused. PartnerUnknown."""
    partner = await known_partner(code)
    await access.enable_account(code, by=by, now=now)
    return partner


async def known_partner(code: str, *, field: tuple[str, ...] = ("code",)) -> Partner:
    """The partner with this code, which the input calls `field`. PartnerUnknown."""
    found = await find_partner(code)
    if found is None:
        raise PartnerUnknown(field=field)
    return found


async def find_partner(code: str) -> Partner | None:
    """The partner with this code, enabled or not."""
    return await _read(code)


async def partner_of(account_id: UUID) -> Partner | None:
    """The partner whose account this is."""
    row = await fetch_one("SELECT * FROM partner WHERE account_id = $1", account_id)
    return None if row is None else partner_of_row(row)


async def partners_page(page: PageRequest) -> Page[tuple[Partner, Account]]:
    """A page of the partners with their accounts, by code. Key: (code)."""
    [after] = page.after or ("",)
    rows = await fetch_all(
        "SELECT * FROM partner WHERE code > $1 ORDER BY code LIMIT $2", after, page.limit
    )
    accounts = {one.id: one for one in await access.accounts({CallerKind.PARTNER})}
    found = [partner_of_row(row) for row in rows]
    return page_of(
        [(one, accounts[one.account_id]) for one in found],
        first=page.first,
        key=lambda one: (one[0].code,),
    )


def partner_of_row(row: Row) -> Partner:
    """The partner in a row of `partner`."""
    return Partner(
        account_id=row["account_id"],
        code=row["code"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        sandbox=row["sandbox"],
        points_per_day=row["points_per_day"],
        points_per_member_day=row["points_per_member_day"],
        networks=tuple(orjson.loads(row["networks"])),
        webhook_url=row["webhook_url"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        version=row["version"],
    )


async def _given_scopes(command: ChangePartner, *, by: Actor, now: datetime) -> bool:
    """Give the account other scopes, where they are named; whether they differ from before."""
    if command.scopes is None:
        return False
    access.clean_grants(command.scopes, kind=CallerKind.PARTNER, field=("scopes",))
    before = await access.find_account(command.code)
    after = await access.change_grants(command.code, command.scopes, by=by, now=now)
    return before is None or before.grants != after.grants


async def _read(code: str, *, lock: str = "") -> Partner | None:
    if not is_storable(code, characters_max=CODE_CHARACTERS_MAX):
        return None
    row = await fetch_one(f"SELECT * FROM partner WHERE code = $1 {lock}", code)
    return None if row is None else partner_of_row(row)


async def _insert(partner: Partner) -> None:
    row = _row(partner)
    marks = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    await execute(f"INSERT INTO partner ({', '.join(row)}) VALUES ({marks})", *row.values())


async def _update(partner: Partner) -> None:
    row = _row(partner)
    sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(row, 1))
    await execute(f"UPDATE partner SET {sets} WHERE account_id = $1", *row.values())


def _row(partner: Partner) -> dict[str, Any]:
    return asdict(partner) | {"networks": orjson.dumps(partner.networks).decode()}


def _terms(partner: Partner) -> dict[str, Any]:
    """What may change of a partner, as plain values: also what the log tells."""
    return {name: getattr(partner, name) for name in sorted(CHANGEABLE)}


def _record(
    by: Actor,
    action: str,
    partner: Partner,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any],
    now: datetime,
) -> None:
    target = Target(kind="partner", id=partner.code)
    audit.record(by, action, target=target, before=before, after=after, now=now)
