"""Access accounts: whoever calls with a token of their own, besides members.

Shops, partner platforms and the people who work for the merchant, each with a code for ever and
with what they are granted: scopes for shops and partners, roles for staff. Operators make and
change them, and the audit log tells each such act, also one that changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import audit
from domain.access.callers import Caller, CallerKind, InvalidAccessToken
from domain.access.grants import (
    CODE_CHARACTERS_MAX,
    clean_grants,
    clean_name,
    from_words,
    words,
)
from domain.access.tokens import TOKEN_LIFE, AccessTokens
from domain.audit import Actor
from domain.errors import AccountUnknown, CodeTaken, InvalidInput, ScopeNotGranted
from domain.storage import Row, execute, fetch_all, fetch_one, transaction
from domain.texts import clean_code, is_storable

ACCOUNT_KINDS: Final = frozenset({CallerKind.SHOP, CallerKind.PARTNER, CallerKind.STAFF})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A shop, a partner platform, or a person of the staff, whose code is their login.

    `grants` are scopes, or the roles of staff. A disabled account keeps its code and its grants.
    Tokens issued before `tokens_not_before` are refused.
    """

    id: UUID
    kind: CallerKind
    code: str
    name: str
    grants: frozenset[str]
    created_at: datetime
    disabled_at: datetime | None = None
    tokens_not_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAccount:
    """Make an account for a shop, a partner platform or a person of the staff."""

    kind: CallerKind
    code: str
    name: str
    grants: frozenset[str]


async def register_account(command: RegisterAccount, *, by: Actor, now: datetime) -> Account:
    """Make the account. Registering the same one again returns it; CodeTaken for another."""
    if command.kind not in ACCOUNT_KINDS:
        raise InvalidInput(field=("kind",), rule="shop, partner or staff")
    clean_code(command.code, field=("code",), characters_max=CODE_CHARACTERS_MAX)
    clean_name(command.name)
    clean_grants(command.grants, kind=command.kind)

    async def work() -> Account:
        existing = await find_account(command.code)
        if existing is not None and not _is(existing, command):
            raise CodeTaken(field=("code",), account=command.code)
        account = existing or await _make(command, now)
        _record("account.register", existing, account, by=by, now=now)
        return account

    return await transaction(work)


async def find_account(code: str) -> Account | None:
    """The account of this code, disabled or not."""
    return await _read(code)


async def accounts(kinds: Collection[CallerKind]) -> Sequence[Account]:
    """All accounts of these kinds, disabled ones too, by code."""
    rows = await fetch_all(
        "SELECT * FROM access_account WHERE kind = ANY($1::text[]) ORDER BY code",
        [kind.value for kind in kinds],
    )
    return [_account(row) for row in rows]


async def change_grants(code: str, grants: frozenset[str], *, by: Actor, now: datetime) -> Account:
    """Give the account these scopes or roles instead of those it holds. AccountUnknown.

    A live token that has one which was taken away is refused at once; one that was given comes
    with the next token.
    """

    def decide(account: Account) -> Account:
        return replace(account, grants=clean_grants(grants, kind=account.kind))

    return await _change(code, "account.grants", decide, by=by, now=now)


async def disable_account(code: str, *, by: Actor, now: datetime) -> Account:
    """Take all access from the account, at once. AccountUnknown.

    The tokens it had stay refused when it is enabled again.
    """

    def decide(account: Account) -> Account:
        if account.disabled_at is not None:
            return account
        return replace(account, disabled_at=now, tokens_not_before=now)

    return await _change(code, "account.disable", decide, by=by, now=now)


async def enable_account(code: str, *, by: Actor, now: datetime) -> Account:
    """Let a disabled account have tokens again; those of before stay refused. AccountUnknown."""

    def decide(account: Account) -> Account:
        if account.disabled_at is None:
            return account
        return replace(account, disabled_at=None, tokens_not_before=now)

    return await _change(code, "account.enable", decide, by=by, now=now)


async def revoke_tokens(code: str, *, by: Actor, now: datetime) -> Account:
    """End every token of the account issued before now; new ones are good. AccountUnknown."""

    def decide(account: Account) -> Account:
        return replace(account, tokens_not_before=now)

    return await _change(code, "account.revoke_tokens", decide, by=by, now=now)


async def issue_token(
    code: str,
    *,
    by: Actor,
    tokens: AccessTokens,
    now: datetime,
    grants: frozenset[str] | None = None,
    ttl: timedelta = TOKEN_LIFE,
) -> tuple[str, datetime]:
    """A token with the scopes or roles asked for (None: all the account holds), and its expiry.

    Raises AccountUnknown, also for a disabled account, and ScopeNotGranted. The log tells what the
    token is for before anybody has it.
    """

    async def work() -> tuple[str, datetime]:
        account = await find_account(code)
        if account is None or account.disabled_at is not None:
            raise AccountUnknown(field=("code",), account=code)
        given = account.grants if grants is None else grants
        if missing := given - account.grants:
            raise ScopeNotGranted(field=("grants",), missing=tuple(sorted(missing)))
        token, expires_at = _token(account, given, tokens=tokens, ttl=ttl, now=now)
        after = {"expiresAt": expires_at.isoformat(), "grants": sorted(given)}
        audit.record(by, "token.issue", target=_target(account), after=after, now=now)
        return token, expires_at

    return await transaction(work)


async def authenticate_account(caller: Caller) -> Account:
    """The account that a token was made for, in one statement.

    Raises InvalidAccessToken (revoked) when it is gone or disabled, when its tokens were revoked
    after this one was issued, or when it no longer holds the token's scopes or roles.
    """
    assert caller.kind in ACCOUNT_KINDS
    row = await fetch_one("SELECT * FROM access_account WHERE id = $1", caller.subject)
    account = None if row is None else _account(row)
    if account is None or not _admits(account, caller):
        raise InvalidAccessToken("revoked")
    return account


def _admits(account: Account, caller: Caller) -> bool:
    return (
        account.kind is caller.kind
        and account.disabled_at is None
        and (account.tokens_not_before is None or caller.issued_at >= account.tokens_not_before)
        and caller.scopes | caller.roles <= account.grants
    )


async def _change(
    code: str,
    action: str,
    decide: Callable[[Account], Account],
    *,
    by: Actor,
    now: datetime,
) -> Account:
    """The account as `decide` changes it, written and told to the log in one transaction."""

    async def work() -> Account:
        before = await _read(code, lock="FOR NO KEY UPDATE")
        if before is None:
            raise AccountUnknown(field=("code",), account=code)
        after = decide(before)
        await execute(
            "UPDATE access_account SET grants = $2, disabled_at = $3, tokens_not_before = $4"
            " WHERE id = $1",
            *(after.id, words(after.grants), after.disabled_at, after.tokens_not_before),
        )
        _record(action, before, after, by=by, now=now)
        return after

    return await transaction(work)


async def _read(code: str, *, lock: str = "") -> Account | None:
    if not is_storable(code, characters_max=CODE_CHARACTERS_MAX):
        return None
    row = await fetch_one(f"SELECT * FROM access_account WHERE code = $1 {lock}", code)
    return None if row is None else _account(row)


async def _make(command: RegisterAccount, now: datetime) -> Account:
    account = Account(
        id=uuid7(),
        kind=command.kind,
        code=command.code,
        name=command.name,
        grants=command.grants,
        created_at=now,
    )
    await execute(
        "INSERT INTO access_account (id, kind, code, name, grants, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        *(account.id, account.kind.value, account.code, account.name),
        *(words(account.grants), account.created_at),
    )
    return account


def _token(
    account: Account,
    grants: frozenset[str],
    *,
    tokens: AccessTokens,
    ttl: timedelta,
    now: datetime,
) -> tuple[str, datetime]:
    if account.kind is CallerKind.STAFF:
        return tokens.issue(account.kind, account.id, roles=grants, ttl=ttl, now=now)
    return tokens.issue(account.kind, account.id, scopes=grants, ttl=ttl, now=now)


def _is(account: Account, command: RegisterAccount) -> bool:
    """Whether the account is the one that the command asks for."""
    same = (account.kind, account.name, account.grants) == (
        command.kind,
        command.name,
        command.grants,
    )
    return same and account.disabled_at is None


def _record(
    action: str, before: Account | None, after: Account, *, by: Actor, now: datetime
) -> None:
    audit.record(
        by,
        action,
        target=_target(after),
        before=None if before is None else _facts(before),
        after=_facts(after),
        now=now,
    )


def _facts(account: Account) -> dict[str, Any]:
    """What the log tells of an account: not its name, which may be a person's."""
    since = account.tokens_not_before
    return {
        "enabled": account.disabled_at is None,
        "grants": sorted(account.grants),
        "kind": account.kind.value,
        "tokensNotBefore": None if since is None else since.isoformat(),
    }


def _target(account: Account) -> audit.Target:
    return audit.Target(kind="account", id=account.code)


def _account(row: Row) -> Account:
    return Account(
        id=row["id"],
        kind=CallerKind(row["kind"]),
        code=row["code"],
        name=row["name"],
        grants=from_words(row["grants"]),
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
        tokens_not_before=row["tokens_not_before"],
    )
