"""What a request brings to its resolvers, made from what came over the wire."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from api.authentication import Authenticator, Verified
from api.limits import sends_batches
from api.partners.signing import guard_of
from api.rates.addresses import client_address
from api.runtime import Runtime
from api.settings import Settings
from api.transport import response_language
from resolvers.context import RequestContext

DEVICE_HEADER: Final = "x-device-id"
DEVICE_CHARACTERS_MAX: Final = 128


async def request_context(
    connection: HTTPConnection,
    *,
    settings: Settings,
    request_id: str,
    credentials: Headers | Verified | None = None,
    tells_cost: bool = False,
) -> RequestContext:
    """Who asks, when, from where, in which language. Raises TransportFault for a bad token.

    `credentials` stand for the connection's own headers where a token came in another way, or was
    verified before.
    """
    runtime: Runtime = connection.app.state.runtime
    now, address = runtime.clock.now(), client_address(connection.scope)
    services = runtime.services
    authenticator = Authenticator(services.tokens, runtime.confirm, services.rates)
    if isinstance(credentials, Verified):
        asks = await authenticator.again(credentials, now=now, address=address)
    else:
        headers = connection.headers if credentials is None else credentials
        asks = await authenticator.authenticate(headers, now=now, address=address)
    guard = await guard_of(connection, asks.caller, find=runtime.guard, now=now)
    return RequestContext(
        caller=asks.caller,
        principal=asks.principal,
        now=now,
        language=response_language(connection.headers.get("accept-language")),
        request_id=request_id,
        services=services,
        opens_schema=asks.caller is not None or not settings.is_production,
        clock=runtime.clock,
        address=address,
        device=_device(connection.headers),
        sends_batches=asks.caller is not None and sends_batches(asks.caller),
        tells_cost=tells_cost,
        guard=guard,
    )


def _device(headers: Headers) -> str:
    """What the client calls its device; what is too long for a name is none."""
    named = headers.get(DEVICE_HEADER, "").strip()
    return named if len(named) <= DEVICE_CHARACTERS_MAX else ""
