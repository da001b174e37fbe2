"""Operations over server-sent events, in graphql-sse's mode of distinct connections.

`event: next` carries a result, `event: complete` says that no further one comes. A stream that ends
without it was cut off, by the network or by a server that leaves. Errors of the operation are
results too, as the protocol has it; what is wrong with the request itself is an HTTP error.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from typing import Any, Final

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from strawberry.types import ExecutionResult

from api.authentication import refused_token
from api.graphql_answer import answer_body
from api.graphql_request import GraphQLRequest
from api.persisted.finding import Found
from api.runtime import Runtime
from api.streaming.connections import Connections, TooManyConnections, is_over
from api.streaming.frames import LEAVING, Ending
from api.streaming.lines import cut
from api.streaming.operations import Line, Operations
from api.streaming.settings import StreamingSettings
from api.transport import (
    EVENT_STREAM,
    TransportFault,
    accepts_events,
    fault_error,
    prefers_events,
)
from resolvers.context import RequestContext
from schema.faults import INTERNAL_MESSAGE, FaultCode

log = structlog.get_logger("jifen.streaming")

HEADERS: Final = {
    "cache-control": "no-cache, no-transform",
    # Or nginx gathers events before it passes them on.
    "x-accel-buffering": "no",
}
COMMENT: Final = b":\n\n"
COMPLETE: Final = b"event: complete\ndata:\n\n"

Results = AsyncGenerator[ExecutionResult, None]


class EventStreams:
    """Answers requests by event streams."""

    def __init__(
        self, *, operations: Operations, connections: Connections, settings: StreamingSettings
    ) -> None:
        self._operations = operations
        self._connections = connections
        self._settings = settings

    def wanted(self, request: Request, asked: GraphQLRequest) -> bool:
        """Whether the answer is to be a stream.

        It is if the client likes JSON less, and for subscriptions also if it takes both: some
        clients name all they can read in every request.
        """
        accept = request.headers.get("accept")
        return prefers_events(accept) or (
            accepts_events(accept) and self._operations.asks_to_follow(asked)
        )

    async def respond(
        self, request: Request, asked: GraphQLRequest, found: Found, context: RequestContext
    ) -> Response:
        """The stream of the operation's results.

        Raises TransportFault where there is no room, or the caller's token is over.
        """
        if is_over(context.caller, now=context.now):
            raise refused_token("expired")
        runtime: Runtime = request.app.state.runtime
        if request.method == "POST":
            await self._operations.keep(found, context, kept=runtime.kept_documents)
        state = request.app.state
        line = Line(
            "sse", places=state.places, watch=state.watch, room=nullcontext, method=request.method
        )
        results = self._operations.results(asked, context, line)
        try:
            return EventStream(
                results,
                context,
                connections=self._connections,
                settings=self._settings,
                address=context.address,
            )
        except TooManyConnections as refusal:
            raise refusal.fault() from None


class EventStream(Response):
    """A response that lasts as long as its operation. Raises TooManyConnections when it is made."""

    def __init__(
        self,
        results: Results,
        context: RequestContext,
        *,
        connections: Connections,
        settings: StreamingSettings,
        address: str,
    ) -> None:
        super().__init__(media_type=EVENT_STREAM, headers=HEADERS)
        del self.headers["content-length"]
        self._results = results
        self._context = context
        self._settings = settings
        self._connections = connections
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._connection = connections.admit(
            address, self._end, caller=context.caller, now=context.now
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the results as they come, until there are no more or the connection must end."""
        chunks: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        gone = asyncio.create_task(_gone(receive))
        tasks = [gone, asyncio.create_task(self._make(chunks))]
        try:
            await self._send_all(send, chunks, gone)
        except TimeoutError:
            cut(scope)
        except OSError:
            pass  # The client is gone.
        finally:
            self._connections.release(self._connection)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _end(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    async def _make(self, chunks: asyncio.Queue[bytes | None]) -> None:
        """Give each result as an event, made when the one before was taken; None at the end."""
        request_id = self._context.request_id
        try:
            async with aclosing(self._results) as results:
                async for result in results:
                    await chunks.put(_next_event(answer_body(result)))
        except TransportFault as fault:
            await chunks.put(_error_event(fault, request_id=request_id))
        except Exception as fault:
            log.error("internal_error", exc_info=fault)
            masked = TransportFault(FaultCode.INTERNAL, INTERNAL_MESSAGE)
            await chunks.put(_error_event(masked, request_id=request_id))
        await chunks.put(None)

    async def _send_all(
        self, send: Send, chunks: asyncio.Queue[bytes | None], gone: asyncio.Task[None]
    ) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await self._send(send, start)
        # Something at once: proxies pass the headers on, and the request's place is given back.
        await self._send(send, _body(COMMENT))
        chunk: asyncio.Task[bytes | None] = asyncio.create_task(chunks.get())
        try:
            while True:
                awaited: set[asyncio.Future[Any]] = {chunk, self._ending, gone}
                await asyncio.wait(
                    awaited,
                    timeout=self._settings.ping_every_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if gone.done():
                    return
                if chunk.done():
                    content = chunk.result()
                    if content is None:
                        await self._send(send, _body(COMPLETE, more=False))
                        return
                    await self._send(send, _body(content))
                    chunk = asyncio.create_task(chunks.get())
                elif self._ending.done():
                    await self._send(send, _body(self._last(self._ending.result()), more=False))
                    return
                else:
                    await self._send(send, _body(COMMENT))
        finally:
            chunk.cancel()

    def _last(self, ending: Ending) -> bytes:
        """What a stream that must end says last."""
        if ending is LEAVING:
            return b""
        fault = TransportFault(FaultCode.UNAUTHENTICATED, ending.reason, reason=ending.fact)
        return _error_event(fault, request_id=self._context.request_id) + COMPLETE

    async def _send(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(self._settings.send_s_max):
            await send(message)


async def _gone(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(content: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def _next_event(body: Any) -> bytes:
    # JSON has no line breaks of its own, so one line is enough.
    return b"event: next\ndata: " + orjson.dumps(body) + b"\n\n"


def _error_event(fault: TransportFault, *, request_id: str) -> bytes:
    return _next_event({"errors": [fault_error(fault, request_id=request_id)]})
