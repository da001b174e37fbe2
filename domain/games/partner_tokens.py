"""Tokens for partner platforms, against a proof of who they are (client_credentials)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import structlog

from domain import access
from domain.access import TOKEN_LIFE, AccessTokens, Account, CallerKind
from domain.games.client_assertions import (
    AssertionInvalid,
    claimed_client,
    read_assertion,
    spend_assertion,
)
from domain.games.guards import PartnerGuard, partner_guard
from domain.games.partner_keys import KeyKind, hash_of_secret
from domain.storage import transaction

log = structlog.get_logger(__name__)

SECRET_CHARACTERS_MAX: Final = 256

GrantError = Literal["invalid_client", "invalid_scope"]


class GrantRefused(Exception):
    """Raised when no token is given; `error` is the word of RFC 6749 for it.

    Who the caller is not is never told apart: an unknown client, a disabled one, a wrong secret, a
    used assertion and a wrong network are all `invalid_client`.
    """

    def __init__(self, error: GrantError) -> None:
        super().__init__(error)
        self.error: GrantError = error


@dataclass(frozen=True, slots=True, kw_only=True)
class BySecret:
    """A client that names itself and its secret."""

    code: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByAssertion:
    """A client that signed an assertion for one of `audiences`; `code` if it named itself too."""

    assertion: str = field(repr=False)
    audiences: frozenset[str]
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A token for these scopes, until a moment."""

    token: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: datetime


async def grant_token(
    proof: BySecret | ByAssertion,
    *,
    scopes: frozenset[str] | None,
    address: str,
    tokens: AccessTokens,
    now: datetime,
) -> Granted:
    """A token with the scopes asked for; None: all that the partner holds. Raises GrantRefused.

    The assertion is used up with the answer, in one transaction: another one with its id, here or
    in another process at the same time, gets nothing.
    """

    async def work() -> Granted:
        account = await _proved(proof, address=address, now=now)
        wanted = account.grants if scopes is None else scopes
        if not wanted <= account.grants:
            raise GrantRefused("invalid_scope")
        token, expires_at = tokens.issue(
            CallerKind.PARTNER, account.id, scopes=wanted, ttl=TOKEN_LIFE, now=now
        )
        return Granted(token=token, scopes=wanted, expires_at=expires_at)

    return await transaction(work)


async def _proved(proof: BySecret | ByAssertion, *, address: str, now: datetime) -> Account:
    """The account of the partner whose proof is good. Raises GrantRefused."""
    try:
        code = proof.code if isinstance(proof, BySecret) else claimed_client(proof.assertion)
        account = await access.find_account(code)
        if account is None or account.kind is not CallerKind.PARTNER or account.disabled_at:
            raise AssertionInvalid("there is no such partner, or it is disabled")
        guard = await partner_guard(account.id, now=now)
        if not guard.admits(address):
            raise AssertionInvalid("the partner may not call from there")
        if isinstance(proof, BySecret):
            _check_secret(proof, guard, now=now)
        else:
            await _check_assertion(proof, account, guard, now=now)
    except AssertionInvalid as wrong:
        # The code is what anybody may have sent, so the log is told the reason alone.
        log.info("partner_not_authenticated", reason=str(wrong))
        raise GrantRefused("invalid_client") from None
    return account


def _check_secret(proof: BySecret, guard: PartnerGuard, *, now: datetime) -> None:
    given = hash_of_secret(proof.secret[: SECRET_CHARACTERS_MAX + 1])
    of_kind = [key for key in guard.keys if key.kind is KeyKind.CLIENT_SECRET and key.counts(now)]
    if not any(hmac.compare_digest(key.material, given) for key in of_kind):
        raise AssertionInvalid("no secret that counts is this one")


async def _check_assertion(
    proof: ByAssertion, account: Account, guard: PartnerGuard, *, now: datetime
) -> None:
    if proof.code not in {None, account.code}:
        raise AssertionInvalid("it is of another client than the request")
    assertion = read_assertion(
        proof.assertion,
        code=account.code,
        keys=guard.keys,
        audiences=proof.audiences,
        now=now,
    )
    await spend_assertion(account.id, assertion, now=now)
