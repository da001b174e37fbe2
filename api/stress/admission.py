"""Admission: whether a request is let in, decided before anything is done for it.

The gate stands before authentication and before the body is read. Who is refused gets 503,
OVERLOADED and `Retry-After` at once; a refusal costs little and writes no line of its own, since it
comes by the thousand when it comes. Health is always answered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.logs import REQUEST_ID_HEADER, request_id_for
from api.observability.metrics import SHED
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
        try:
            place = await self._places.enter(_caller_of(scope))
        except NoPlace as refused:
            self._refusals.count(refused.reason)
            await _refuse(scope, receive, send)
            return
        scope["state"] = {**scope.get("state", {}), "place": place}
        token = _place.set(place)

        async def receive_outside() -> Message:
            place.step_out()
            message = await receive()
            await place.step_in()
            return message

        async def send_on(message: Message) -> None:
            await send(message)
            if message.get("more_body"):
                place.leave()  # A stream may last for hours, and costs little between its events.

        try:
            await self.app(scope, receive_outside, send_on)
        finally:
            _place.reset(token)
            place.leave()


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
    """Whose lane the request takes: that of its token, unverified as yet, or of its address."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            token: bytes = value
            return token
    address: Hashable = (scope.get("client") or ("",))[0]
    return address


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    identity = request_id_for(scope)
    response = fault_response(
        overloaded(),
        request_id=identity,
        media_type=response_media_type(Headers(scope=scope).get("accept")),
    )
    response.headers[REQUEST_ID_HEADER] = identity
    await response(scope, receive, send)
