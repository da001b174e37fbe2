"""What the edge checks of a partner's request: where it comes from, and who signed its body.

The body is verified as it came, before anything of it is parsed. A partner that only reads may do
so without a signature; a mutation that is not signed is refused by `schema.documents`, wherever it
comes from, so that none can go round by a connection that stays open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

import structlog
from starlette.requests import HTTPConnection, Request
from starlette.types import Scope

from api.transport import TransportFault, overloaded, rate_limited
from domain.access import Caller, CallerKind
from domain.games import (
    PartnerGuard,
    SignatureHeaders,
    SignatureRefused,
    verify_signature,
)
from domain.storage import StorageFault
from resolvers.context import RequestContext
from resolvers.rates import RateKey, RateLimited
from schema.faults import SIGNATURE_MISSING_MESSAGE, FaultCode

log = structlog.get_logger("jifen.partners")

BAD_SIGNATURE_COST: Final = 5
"""What a bad token costs: about what it takes to verify one."""

HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")

_REFUSED: Final = {
    "missing": (FaultCode.SIGNATURE_MISSING, SIGNATURE_MISSING_MESSAGE),
    "invalid": (
        FaultCode.SIGNATURE_INVALID,
        "No signature of this request is that of a key of this partner that counts now.",
    ),
    "stale": (
        FaultCode.SIGNATURE_STALE,
        "The request was signed more than five minutes ago, or ahead.",
    ),
}


FindGuard: TypeAlias = Callable[[UUID, datetime], Awaitable[PartnerGuard | None]]
"""Reads the guard of the partner with this account."""


async def guard_of(
    connection: HTTPConnection, caller: Caller | None, *, find: FindGuard, now: datetime
) -> PartnerGuard | None:
    """The partner that calls, with its keys; None for others. Raises TransportFault.

    NETWORK_FORBIDDEN for a partner that calls from elsewhere than from its networks.
    """
    if caller is None or caller.kind is not CallerKind.PARTNER:
        return None
    try:
        guard = await find(caller.subject, now)
    except StorageFault as fault:
        log.warning("partner_not_looked_up", reason=str(fault))
        raise overloaded() from None
    if guard is not None and not guard.admits(peer_address(connection.scope)):
        message = "This partner may not call from this address."
        raise TransportFault(FaultCode.NETWORK_FORBIDDEN, message)
    return guard


async def signed(request: Request, body: bytes, context: RequestContext) -> RequestContext:
    """The context of a request of a partner, who may have signed its body. Raises TransportFault.

    A request that has any header of a signature must have a good one. Others are paid for by the
    address that they come from, as bad tokens are: whoever has a token may have no key.
    """
    guard = context.guard
    given = [request.headers.getlist(name) for name in HEADERS]
    if guard is None or not any(given):
        return context
    try:
        if any(len(values) > 1 for values in given):
            raise SignatureRefused("invalid")
        message_id, timestamp, signature = (values[0] if values else None for values in given)
        headers = SignatureHeaders(id=message_id, timestamp=timestamp, signature=signature)
        key_id = verify_signature(guard.keys, headers, body, now=context.now)
    except SignatureRefused as refusal:
        await _charge(context)
        code, text = _REFUSED[refusal.reason]
        raise TransportFault(code, text) from None
    return replace(context, signed_by=key_id)


async def _charge(context: RequestContext) -> None:
    """Raises TransportFault where not even that is left."""
    key = RateKey("address", context.address)
    try:
        await context.services.rates.charge(key, BAD_SIGNATURE_COST, now=context.now)
    except RateLimited as refusal:
        raise rate_limited(refusal.retry_after_s) from None


def peer_address(scope: Scope) -> str:
    """The address that the request came from, whole; empty where there is none.

    Behind a proxy that is trusted, the server has put the client's own in its place.
    """
    client = scope.get("client")
    return client[0] if client else ""
