"""Staff accounts: the people who work for the merchant, made by an operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.access import models
from domain.access.callers import Caller, CallerKind, InvalidAccessToken
from domain.access.grants import (
    CODE_CHARACTERS_MAX,
    clean_grants,
    clean_name,
    from_words,
    words,
)
from domain.access.tokens import TOKEN_LIFE, AccessTokens
from domain.errors import AccountUnknown, CodeTaken
from domain.storage import execute, transaction
from domain.texts import clean_code, is_storable


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffAccount:
    """A person who works for the merchant. Disabled accounts keep their login for ever."""

    id: UUID
    login: str
    name: str
    roles: frozenset[str]
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterStaff:
    """Make an account for a person who works for the merchant."""

    login: str
    name: str
    roles: frozenset[str]


async def register_staff(command: RegisterStaff, *, now: datetime) -> StaffAccount:
    """Make the staff account. Registering the same one again returns it; CodeTaken for another."""
    clean_code(command.login, field=("login",), characters_max=CODE_CHARACTERS_MAX)
    clean_name(command.name)
    clean_grants(command.roles, field="roles")

    async def work() -> StaffAccount:
        existing = await find_staff(command.login)
        if existing is None:
            return await _make(command, now)
        if _definition(existing) != _definition(command) or existing.disabled_at is not None:
            raise CodeTaken(field=("login",), account=command.login)
        return existing

    return await transaction(work)


async def find_staff(login: str) -> StaffAccount | None:
    """The staff account of this login, disabled or not."""
    row = await _row(login)
    return None if row is None else _account(row)


async def issue_staff_token(
    login: str, *, tokens: AccessTokens, now: datetime, ttl: timedelta = TOKEN_LIFE
) -> tuple[str, datetime]:
    """A token of the account with all its roles, and its expiry.

    Raises AccountUnknown, also for a disabled account.
    """
    account = await find_staff(login)
    if account is None or account.disabled_at is not None:
        raise AccountUnknown(field=("login",), account=login)
    return tokens.issue(CallerKind.STAFF, account.id, roles=account.roles, ttl=ttl, now=now)


async def revoke_staff_tokens(login: str, *, now: datetime) -> None:
    """End every token of the account issued before now; new ones are good. AccountUnknown."""
    await _change(login, tokens_not_before=now)


async def disable_staff(login: str, *, now: datetime) -> None:
    """Take all access from the account, at once and for good. Raises AccountUnknown."""
    await _change(login, disabled_at=now)


async def authenticate_staff(caller: Caller) -> StaffAccount:
    """The account that a staff token was made for, in one statement.

    Raises InvalidAccessToken (revoked) when it is gone or disabled, when its tokens were revoked
    after this one was issued, or when it no longer holds the token's roles.
    """
    assert caller.kind is CallerKind.STAFF
    row = await models.StaffAccount.get_or_none(id=caller.subject)
    if row is None or row.disabled_at is not None:
        raise InvalidAccessToken("revoked")
    if row.tokens_not_before is not None and caller.issued_at < row.tokens_not_before:
        raise InvalidAccessToken("revoked")
    account = _account(row)
    if not caller.roles <= account.roles:
        raise InvalidAccessToken("revoked")
    return account


async def _row(login: str) -> models.StaffAccount | None:
    if not is_storable(login, characters_max=CODE_CHARACTERS_MAX):
        return None
    return await models.StaffAccount.get_or_none(login=login)


async def _change(login: str, **columns: datetime) -> None:
    known = is_storable(login, characters_max=CODE_CHARACTERS_MAX)
    if not known or not await models.StaffAccount.filter(login=login).update(**columns):
        raise AccountUnknown(field=("login",), account=login)


async def _make(command: RegisterStaff, now: datetime) -> StaffAccount:
    account = StaffAccount(
        id=uuid7(),
        login=command.login,
        name=command.name,
        roles=command.roles,
        created_at=now,
        disabled_at=None,
    )
    await execute(
        "INSERT INTO staff_account (id, login, name, roles, created_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        *(account.id, account.login, account.name, words(account.roles), account.created_at),
    )
    return account


def _account(row: models.StaffAccount) -> StaffAccount:
    return StaffAccount(
        id=row.id,
        login=row.login,
        name=row.name,
        roles=from_words(row.roles),
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _definition(account: StaffAccount | RegisterStaff) -> tuple[object, ...]:
    return account.name, account.roles
