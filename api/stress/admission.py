"""Admission: whether a request is let in, decided before anything is done for it.

The gate stands before authentication and before the body is read. Who is refused gets 503,
OVERLOADED and `Retry-After` at once; a refusal costs little and writes no line of its own, since it
comes by the thousand when it comes. Health is always answered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.logs import REQUEST_ID_HEADER, request_id_for
from api.observability.metrics import SHED
from api.rates.addresses import client_address
from api.stress.places import NoPlace, Place, Places, Reason
from api.transport import fault_response, overloaded, response_media_type

log = structlog.get_logger("jifen.admission")

NEVER_SHED: Final = frozenset({"/livez", "/readyz", "/metrics"})
LOGGED_EVERY_S: Final = 1.0

_place: ContextVar[Place | None] = ContextVar("place", default=None)


def place_of(scope: Scope) -> Place:
    """The place of the request that this scope belongs to."""
    found: Place = scope["state"]["place"]
    return found


@asynccontextmanager
async def inside(places: Places, key: Hashable) -> AsyncIterator[Place]:
    """A place of the caller `key` during the block, which `outside` gives up. Raises NoPlace."""
    place = await places.enter(key)
    token = _place.set(place)
    try:
        yield place
    finally:
        _place.reset(token)
        place.leave()


@asynccontextmanager
async def outside() -> AsyncIterator[None]:
    """Give the request's place up while the block waits for somebody else, like WeChat."""
    place = _place.get()
    if place is None:
        yield
        return
    place.step_out()
    try:
        yield
    except asyncio.CancelledError:
        raise  # What was cancelled has nothing left to do that would need a place.
    except BaseException:
        await place.step_in()
        raise
    await place.step_in()


class Admission:
    """ASGI middleware: a place for each HTTP request, or a refusal."""

    def __init__(self, app: ASGIApp, *, places: Places, refusals: Refusals) -> None:
        self.app = app
        self._places = places
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; only HTTP is looked at, and not health."""
        if scope["type"] != "http" or scope["path"] in NEVER_SHED:
            await self.app(scope, receive, send)
            return
        async with AsyncExitStack() as held:
            try:
                place = await held.enter_async_context(inside(self._places, _caller_of(scope)))
            except NoPlace as refused:
                self._refusals.count(refused.reason)
                await _refuse(scope, receive, send)
                return
            await self._serve(scope, receive, send, place=place)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, *, place: Place) -> None:
        """Serve a request that has a place, which waits for its body outside."""
        scope["state"] = {**scope.get("state", {}), "place": place}

        async def receive_outside() -> Message:
            place.step_out()
            message = await receive()
            await place.step_in()
            return message

        async def send_on(message: Message) -> None:
            await send(message)
            if message.get("more_body"):
                place.leave()  # A stream may last for hours, and costs little between its events.

        await self.app(scope, receive_outside, send_on)


class Refusals:
    """Counts who was not let in; tells the log about it once a second at most."""

    def __init__(self) -> None:
        self.by_reason: Counter[Reason] = Counter()
        self._told = 0
        self._told_at = float("-inf")

    @property
    def total(self) -> int:
        """How many requests this process has refused."""
        return self.by_reason.total()

    def count(self, reason: Reason) -> None:
        """One more."""
        self.by_reason[reason] += 1
        SHED.labels(reason).inc()
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= LOGGED_EVERY_S:
            log.warning("shedding", refused=self.total - self._told, reason=reason)
            self._told, self._told_at = self.total, now


def _caller_of(scope: Scope) -> Hashable:
    """Whose lane the request takes: that of a token that was good before, or of its address.

    Anybody can invent tokens, and lanes with them.
    """
    runtime = getattr(getattr(scope.get("app"), "state", None), "runtime", None)
    for name, value in scope["headers"]:
        if name == b"authorization" and runtime is not None:
            token: str = value.decode("latin-1").partition(" ")[2].strip()
            if runtime.services.tokens.remembers(token):
                return token
    return client_address(scope)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    identity = request_id_for(scope)
    response = fault_response(
        overloaded(),
        request_id=identity,
        media_type=response_media_type(Headers(scope=scope).get("accept")),
    )
    response.headers[REQUEST_ID_HEADER] = identity
    await response(scope, receive, send)
