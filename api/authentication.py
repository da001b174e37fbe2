"""Who asks: the bearer token of a request, verified before anything else is read.

A request without a token is anonymous. A token that is not good is answered with 401 and
UNAUTHENTICATED, whatever the request asks, so that a client refreshes its session instead of
seeing the anonymous half of an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

import structlog
from starlette.datastructures import Headers

from api.transport import TransportFault, overloaded, rate_limited
from domain.access import AccessTokens, Caller, InvalidAccessToken
from domain.storage import StorageFault
from resolvers.context import Principal
from resolvers.rates import RateKey, RateLimited, Rates, Unlimited
from schema.faults import FaultCode

log = structlog.get_logger("jifen.authentication")

BAD_TOKEN_COST: Final = 5
"""About what it takes to verify a signature and to look for a session."""

ConfirmCaller: TypeAlias = Callable[[Caller, datetime], Awaitable[Principal | None]]
"""Looks behind a good token: whether its session was signed out, and whom its subject stands for.

Raises InvalidAccessToken.
"""


async def confirm_nothing(caller: Caller, now: datetime) -> None:
    """Take every good token as it is."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Who asks: the caller of the token, and whom it stands for. Both None without a token."""

    caller: Caller | None = None
    principal: Principal | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A caller whose token was verified when a connection was opened; None is nobody."""

    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Verifies bearer tokens. Bad ones are paid for by the address they come from."""

    tokens: AccessTokens
    confirm: ConfirmCaller = confirm_nothing
    rates: Rates = field(default_factory=Unlimited)

    async def authenticate(
        self, headers: Headers, *, now: datetime, address: str = "unknown"
    ) -> Authenticated:
        """Who asks. Raises TransportFault for a token that is not good."""
        values = headers.getlist("authorization")
        if not values:
            return Authenticated()
        scheme, _, token = values[0].strip().partition(" ")
        if len(values) > 1 or scheme.lower() != "bearer" or not token.strip():
            raise await self._refused("invalid", address, now)
        try:
            caller = self.tokens.verify(token.strip(), now)
        except InvalidAccessToken as refusal:
            raise await self._refused(refusal.reason, address, now) from None
        return await self._confirmed(caller, address, now)

    async def again(
        self, verified: Verified, *, now: datetime, address: str = "unknown"
    ) -> Authenticated:
        """Who asks, where the token was verified before. Raises TransportFault as above."""
        if verified.caller is None:
            return Authenticated()
        if verified.caller.expires_at <= now:
            raise await self._refused("expired", address, now)
        return await self._confirmed(verified.caller, address, now)

    async def _confirmed(self, caller: Caller, address: str, now: datetime) -> Authenticated:
        try:
            principal = await self.confirm(caller, now)
        except InvalidAccessToken as refusal:
            raise await self._refused(refusal.reason, address, now) from None
        except StorageFault as fault:
            log.warning("caller_not_confirmed", reason=str(fault))
            raise overloaded() from None
        return Authenticated(caller=caller, principal=principal)

    async def _refused(self, reason: str, address: str, now: datetime) -> TransportFault:
        try:
            await self.rates.charge(RateKey("address", address), BAD_TOKEN_COST, now=now)
        except RateLimited as refusal:
            return rate_limited(refusal.retry_after_s)
        return refused_token(reason)


def refused_token(reason: str) -> TransportFault:
    """What a request is answered whose token is not good, for this reason."""
    message = f"The access token is {reason}."
    challenge = f'Bearer realm="jifen", error="invalid_token", error_description="{message}"'
    return TransportFault(
        FaultCode.UNAUTHENTICATED,
        message,
        headers={"www-authenticate": challenge},
        reason=reason,
    )
