"""Deadlines: how long a request may take, from its arrival to its answer.

The deadline covers all of it: queueing, authentication, the body, execution, calls to WeChat. When
it passes, the client is answered 504 and DEADLINE_EXCEEDED at that moment, and the work is
cancelled: its transaction is rolled back, its connection goes back to the pool. A COMMIT that is
under way is not interrupted, so a mutation may have taken effect: `outcome` then says `UNKNOWN`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Literal

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.logs import request_id
from api.stress.admission import place_of
from api.stress.draining import Draining
from api.transport import TransportFault, fault_response, response_media_type
from schema.faults import FaultCode

log = structlog.get_logger("jifen.deadlines")

CANCELLED_AGAIN_AFTER_S: Final = 1.0

Outcome = Literal["NONE", "UNKNOWN"]
"""What a request whose deadline passed has changed: certainly nothing, or perhaps all of it."""

MESSAGES: Final[dict[Outcome, str]] = {
    "NONE": "The answer was not ready in time. Nothing was changed; send the same again.",
    "UNKNOWN": (
        "The answer was not ready in time. Whether the mutation took effect is unknown; "
        "send the same again, with the same keys."
    ),
}


def deadline_exceeded(outcome: Outcome) -> TransportFault:
    """What a request is answered whose deadline passed."""
    return TransportFault(
        FaultCode.DEADLINE_EXCEEDED, MESSAGES[outcome], retryable=True, outcome=outcome
    )


def deadline_of(scope: Scope) -> Deadline:
    """The deadline of the request that this scope belongs to."""
    found: Deadline = scope["state"]["deadline"]
    return found


class Deadlines:
    """ASGI middleware: a deadline for each HTTP request that has a place."""

    def __init__(self, app: ASGIApp, *, request_s_max: float) -> None:
        self.app = app
        self._request_s_max = request_s_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; only HTTP is looked at, and not health."""
        if scope["type"] != "http" or "place" not in scope["state"]:
            await self.app(scope, receive, send)
            return
        draining: Draining = scope["app"].state.draining
        deadline = Deadline(scope, receive, send, draining=draining)
        scope["state"]["deadline"] = deadline
        draining.under_way.add(deadline)
        deadline.extend_to(self._request_s_max)
        try:
            await self.app(scope, receive, deadline.send)
        except asyncio.CancelledError:
            if not deadline.caused_it():
                raise
        except Exception as fault:
            if not deadline.passed:
                raise
            log.warning("failed_after_deadline", exc_info=fault)
        finally:
            draining.under_way.discard(deadline)
            await deadline.close()


class Deadline:
    """When one request must be answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, draining: Draining) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._draining = draining
        self._loop = asyncio.get_running_loop()
        self._arrived_at = place_of(scope).entered_at
        self._timer: asyncio.TimerHandle | None = None
        self._answering: asyncio.Task[None] | None = None
        self._answer_begun = False
        self._work = asyncio.current_task()
        self._cancellations = 0
        self._changes: Callable[[], bool] = _nothing
        self.passed = False

    def extend_to(self, seconds: float) -> None:
        """Allow the request so many seconds from its arrival."""
        if self.passed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._arrived_at + seconds, self._pass)

    def begins(self, changes: Callable[[], bool]) -> None:
        """Execution begins. `changes` says whether it may change anything; asked only if needed."""
        self._changes = changes

    async def send(self, message: Message) -> None:
        """Send for the request, unless it was answered already."""
        if self.passed:
            return
        if message["type"] == "http.response.start":
            self._answer_begun = True
            if self._draining.begun.is_set():
                message = _last_on_its_connection(message)
        await self._send(message)

    def cut_short(self) -> None:
        """End the request now, even one whose answer has begun: the drain is over."""
        if self._answer_begun:
            self._cancel()
        else:
            self._pass()

    def caused_it(self) -> bool:
        """Whether it was this deadline, and nobody else, that cancelled the work."""
        if self._work is None:
            return False
        for _ in range(self._cancellations):
            self._work.uncancel()
        return self._cancellations > 0 and self._work.cancelling() == 0

    async def close(self) -> None:
        """Forget the timer; see the answer out, if one was given here."""
        if self._timer is not None:
            self._timer.cancel()
        if self._answering is not None:
            await self._answering

    def _pass(self) -> None:
        # An answer that has begun is complete in a moment, or is a stream.
        if self._answer_begun or self.passed:
            return
        self._answering = self._loop.create_task(self._answer())
        self._cancel()

    def _cancel(self) -> None:
        """Cancel the work, and again each second: libraries are known to swallow one."""
        self.passed = True
        if self._work is not None:
            self._cancellations += 1
            self._work.cancel()
            self._timer = self._loop.call_later(CANCELLED_AGAIN_AFTER_S, self._cancel)

    async def _answer(self) -> None:
        fault = deadline_exceeded("UNKNOWN" if self._changes() else "NONE")
        media_type = response_media_type(Headers(scope=self._scope).get("accept"))
        identity = request_id(self._scope)
        response = fault_response(fault, request_id=identity, media_type=media_type)
        await response(self._scope, self._receive, self._send)


def _nothing() -> bool:
    return False


def _last_on_its_connection(message: Message) -> Message:
    """The start of an answer that says that the server will close the connection after it."""
    return {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
