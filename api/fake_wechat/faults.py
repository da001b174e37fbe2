"""Faults on demand: the fake misbehaves per endpoint, a number of times or until told to stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.fake_wechat.connections import drop_connection
from api.fake_wechat.wire import BODY_BYTES_MAX

ENDPOINTS: Final = {
    "/sns/jscode2session": "jscode2session",
    "/cgi-bin/stable_token": "stable_token",
    "/wxa/business/getuserphonenumber": "getuserphonenumber",
    "/wxa/checksession": "checksession",
    "/cgi-bin/message/subscribe/send": "subscribe_send",
    "/wxa/msg_sec_check": "msg_sec_check",
    "/wxa/getwxacodeunlimit": "getwxacodeunlimit",
}
"""WeChat's paths, and the names faults and call counts use for them."""

EVERY_ENDPOINT: Final = "*"


class FaultKind(StrEnum):
    """What goes wrong."""

    ERRCODE = "errcode"
    """WeChat's own error, HTTP 200."""

    SLOW = "slow"
    """The answer comes after so many seconds."""

    STATUS = "status"
    """An HTTP status with a plain text."""

    GARBAGE = "garbage"
    """HTTP 200 with bytes that are no JSON."""

    DROP = "drop"
    """The connection closes without an answer."""


@dataclass(slots=True)
class Fault:
    """One injected fault. `times` None: until cleared.

    `after` lets the call take effect before the fault shows: the answer gets lost, not the request.
    """

    endpoint: str
    kind: FaultKind
    amount: float
    errmsg: str
    after: bool
    times: int | None

    def as_json(self) -> dict[str, Any]:
        """The fault in the form in which it was asked for."""
        shown: float | bool = True
        if self.kind not in {FaultKind.GARBAGE, FaultKind.DROP}:
            shown = self.amount if self.kind is FaultKind.SLOW else int(self.amount)
        return {
            "endpoint": self.endpoint,
            self.kind.value: shown,
            "after": self.after,
            "times": self.times,
        }


class FaultBook:
    """The faults to come, oldest first, and how often each endpoint was called."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.calls: Counter[str] = Counter()

    def take(self, endpoint: str) -> Fault | None:
        """Count a call and use up the oldest fault that is meant for it."""
        self.calls[endpoint] += 1
        for fault in self.faults:
            if fault.endpoint not in {endpoint, EVERY_ENDPOINT}:
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self.faults.remove(fault)
            return fault
        return None


class FaultInjection:
    """ASGI middleware: lets calls pass, or spoils them by the book."""

    def __init__(self, app: ASGIApp, *, book: FaultBook) -> None:
        self._app = app
        self._book = book

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        endpoint = ENDPOINTS.get(scope["path"]) if scope["type"] == "http" else None
        fault = self._book.take(endpoint) if endpoint else None
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._spoil(fault, scope, receive, send)

    async def _spoil(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _whole_body(receive)
        again = _Replayed(body, receive)
        withheld: list[Message] = []
        if fault.after:
            await self._app(scope, again, _collector(withheld))
        if fault.kind is FaultKind.DROP:
            await drop_connection(scope, receive)
        elif fault.kind is FaultKind.SLOW:
            if not await _still_connected_after(fault.amount, receive):
                return
            for message in withheld:
                await send(message)
            if not fault.after:
                await self._app(scope, again, send)
        else:
            await _spoiled_answer(fault)(scope, receive, send)


def _spoiled_answer(fault: Fault) -> Response:
    if fault.kind is FaultKind.ERRCODE:
        return JSONResponse({"errcode": int(fault.amount), "errmsg": fault.errmsg})
    if fault.kind is FaultKind.STATUS:
        return PlainTextResponse("the fake was told to fail", status_code=int(fault.amount))
    return PlainTextResponse("<html>\x00 this is no JSON {")


class _Replayed:
    """A `receive` that hands out the body read before, and then what really comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _collector(messages: list[Message]) -> Send:
    async def collect(message: Message) -> None:
        messages.append(message)

    return collect


async def _whole_body(receive: Receive) -> bytes:
    body = bytearray()
    # One chunk more than the endpoints accept, so that they see that it is too much.
    while len(body) <= BODY_BYTES_MAX:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


async def _still_connected_after(seconds: float, receive: Receive) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return True
    return False
