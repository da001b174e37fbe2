"""API clients: the shops and partner platforms that call with tokens of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
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
from domain.errors import AccountUnknown, CodeTaken, InvalidInput, ScopeNotGranted
from domain.storage import execute, transaction
from domain.texts import clean_code, is_storable

CLIENT_KINDS: Final = frozenset({CallerKind.SHOP, CallerKind.PARTNER})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClient:
    """A shop or a partner platform. Disabled ones keep their code for ever."""

    id: UUID
    kind: CallerKind
    code: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterClient:
    """Make an API client for a shop or a partner platform."""

    code: str
    name: str
    kind: CallerKind
    scopes: frozenset[str]


async def register_client(command: RegisterClient, *, now: datetime) -> ApiClient:
    """Make the API client. Registering the same one again returns it; CodeTaken for another."""
    if command.kind not in CLIENT_KINDS:
        raise InvalidInput(field=("kind",), rule="shop or partner")
    clean_code(command.code, field=("code",), characters_max=CODE_CHARACTERS_MAX)
    clean_name(command.name)
    clean_grants(command.scopes, field="scopes")

    async def work() -> ApiClient:
        existing = await find_client(command.code)
        if existing is None:
            return await _make(command, now)
        if _definition(existing) != _definition(command) or existing.disabled_at is not None:
            raise CodeTaken(field=("code",), account=command.code)
        return existing

    return await transaction(work)


async def find_client(code: str) -> ApiClient | None:
    """The API client of this code, disabled or not."""
    row = await _row(code)
    return None if row is None else _client(row)


async def issue_client_token(
    code: str,
    *,
    tokens: AccessTokens,
    now: datetime,
    scopes: frozenset[str] | None = None,
    ttl: timedelta = TOKEN_LIFE,
) -> tuple[str, datetime]:
    """A token of the API client with the scopes asked for (None: all it holds), and its expiry.

    Raises AccountUnknown, also for a disabled client, and ScopeNotGranted.
    """
    client = await find_client(code)
    if client is None or client.disabled_at is not None:
        raise AccountUnknown(field=("code",), account=code)
    granted = client.scopes if scopes is None else scopes
    if missing := granted - client.scopes:
        raise ScopeNotGranted(field=("scopes",), missing=tuple(sorted(missing)))
    return tokens.issue(client.kind, client.id, scopes=granted, ttl=ttl, now=now)


async def revoke_client_tokens(code: str, *, now: datetime) -> None:
    """End every token of the API client issued before now; new ones are good. AccountUnknown."""
    await _change(code, tokens_not_before=now)


async def disable_client(code: str, *, now: datetime) -> None:
    """Take all access from the API client, at once and for good. Raises AccountUnknown."""
    await _change(code, disabled_at=now)


async def authenticate_client(caller: Caller) -> ApiClient:
    """The API client that a shop's or partner's token was made for, in one statement.

    Raises InvalidAccessToken (revoked) when it is gone or disabled, when its tokens were revoked
    after this one was issued, or when it no longer holds the token's scopes.
    """
    assert caller.kind in CLIENT_KINDS
    row = await models.ApiClient.get_or_none(id=caller.subject)
    if row is None or row.disabled_at is not None:
        raise InvalidAccessToken("revoked")
    if row.tokens_not_before is not None and caller.issued_at < row.tokens_not_before:
        raise InvalidAccessToken("revoked")
    client = _client(row)
    if client.kind is not caller.kind or not caller.scopes <= client.scopes:
        raise InvalidAccessToken("revoked")
    return client


async def _row(code: str) -> models.ApiClient | None:
    if not is_storable(code, characters_max=CODE_CHARACTERS_MAX):
        return None
    return await models.ApiClient.get_or_none(code=code)


async def _change(code: str, **columns: datetime) -> None:
    known = is_storable(code, characters_max=CODE_CHARACTERS_MAX)
    if not known or not await models.ApiClient.filter(code=code).update(**columns):
        raise AccountUnknown(field=("code",), account=code)


async def _make(command: RegisterClient, now: datetime) -> ApiClient:
    client = ApiClient(
        id=uuid7(),
        kind=command.kind,
        code=command.code,
        name=command.name,
        scopes=command.scopes,
        created_at=now,
        disabled_at=None,
    )
    await execute(
        "INSERT INTO api_client (id, code, name, kind, scopes, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        *(client.id, client.code, client.name, client.kind.value),
        *(words(client.scopes), client.created_at),
    )
    return client


def _client(row: models.ApiClient) -> ApiClient:
    return ApiClient(
        id=row.id,
        kind=CallerKind(row.kind),
        code=row.code,
        name=row.name,
        scopes=from_words(row.scopes),
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _definition(client: ApiClient | RegisterClient) -> tuple[object, ...]:
    return client.kind, client.name, client.scopes
