"""graphql-transport-ws on one WebSocket: Strawberry's handler, held to our bounds and faults."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.types.execution import PreExecutionError

from api.authentication import Verified
from api.graphql_answer import answer_body, refusal_body
from api.graphql_request import GraphQLRequest, graphql_request
from api.streaming import frames
from api.streaming.connections import Connection, TooManyConnections, is_over
from api.streaming.credentials import presented
from api.streaming.frames import BadFrame, Ending, Frame
from api.streaming.socket import Socket
from api.transport import TransportFault, fault_error, overloaded
from resolvers.context import RequestContext
from schema.faults import INTERNAL_MESSAGE, CodedError, FaultCode

if TYPE_CHECKING:
    from api.streaming.sockets import Sockets

log = structlog.get_logger("jifen.streaming")

ANSWERED_WITHIN_S: Final = 0.2
"""How long a connection that must end waits for the answers of queries and mutations."""

UNANSWERED_MAX: Final = 2
"""Pings without any sign of the peer, after which it is taken for dead."""


class SocketHandler(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """One connection: its initialisation, its operations, its pings, its end."""

    websocket: Socket

    def __init__(self, sockets: Sockets, socket: Socket) -> None:
        self._settings = sockets.settings.streaming
        super().__init__(
            view=sockets,
            websocket=socket,
            context=None,  # type: ignore[arg-type]  # each operation has a context of its own
            root_value=None,
            schema=sockets.operations.schema,
            connection_init_wait_timeout=timedelta(seconds=self._settings.init_s_max),
        )
        self._sockets = sockets
        self._connection: Connection | None = None
        self._verified = Verified()
        self._loop = asyncio.get_running_loop()
        self._unanswered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._errand: asyncio.Task[None] | None = None
        self._following: set[Operation[RequestContext, None]] = set()
        self.operations_begun = 0

    async def serve(self, connection: Connection) -> None:
        """Serve an admitted connection until it is closed."""
        self._connection = connection
        self._timer = self._loop.call_later(
            self._settings.init_s_max, self.end, frames.INIT_TIMED_OUT
        )
        try:
            async with aclosing(self.websocket.iter_json()) as received:
                async for frame in received:
                    self._unanswered = 0
                    await self._take(frame)
                    # Many small messages come at once and wait for nothing: others have their turn.
                    await asyncio.sleep(0)
        except BadFrame as bad:
            await self._close(bad.ending)
        except WebSocketDisconnected:
            pass
        except asyncio.CancelledError:
            if not self.websocket.dropped_its_reader():
                raise
        finally:
            self._timer.cancel()
            await self.shutdown()

    def end(self, ending: Ending) -> None:
        """Close the connection soon; returns at once."""
        if self._timer is not None:
            self._timer.cancel()
        brief = [one.task for one in self.operations.values() if one not in self._following]
        self._errand = self._loop.create_task(self._close_after(brief, ending))

    async def _take(self, frame: Frame) -> None:
        match frame.kind:
            case "connection_init":
                await self._initialise(frame)
            case "subscribe":
                await self._subscribe(frame)
            case "complete":
                await self.cleanup_operation(frame.id)
            case "ping":
                payload = {"payload": frame.payload} if frame.payload else {}
                await self.websocket.send_json({"type": "pong", **payload})
            case "pong":
                pass

    async def _initialise(self, frame: Frame) -> None:
        if self.connection_init_received:
            await self._close(frames.SECOND_INIT)
            return
        self.connection_init_received = True
        assert self._timer is not None, "it was set when the serving began"
        self._timer.cancel()
        websocket = self.websocket.websocket
        credentials = presented(frame.payload, websocket.headers)
        assert self._connection is not None, "the connection was admitted"
        try:
            context = await self._sockets.context(
                websocket, credentials, asked_at=self._loop.time()
            )
            self._sockets.connections.identify(self._connection, context.caller, now=context.now)
        except TransportFault as fault:
            refused = fault.code is FaultCode.UNAUTHENTICATED
            code = frames.FORBIDDEN if refused else frames.TRY_LATER
            await self._close(
                Ending(code, f"Forbidden: {fault.reason}" if refused else fault.reason)
            )
            return
        except TooManyConnections as refusal:
            await self._close(Ending(frames.TRY_LATER, str(refusal)))
            return
        if is_over(context.caller, now=context.now):
            await self._close(frames.EXPIRED)
            return
        self._verified = Verified(context.caller)
        self._timer = self._loop.call_later(self._settings.ping_every_s, self._beat)
        await self.websocket.send_json({"type": "connection_ack"})
        self.connection_acknowledged = True

    async def _subscribe(self, frame: Frame) -> None:
        if not self.connection_acknowledged:
            await self._close(frames.NOT_INITIALISED)
            return
        if frame.id in self.operations:
            await self._close(Ending(frames.ID_IN_USE, f"Subscriber for {frame.id} already exists"))
            return
        try:
            asked = graphql_request(frame.payload)
        except TransportFault as fault:
            raise BadFrame(fault.reason) from None
        operation = Operation(self, frame.id, "", None, None)
        full = len(self.operations) >= self._settings.operations_max
        self.operations[frame.id] = operation
        self.operations_begun += 1
        if full:
            await self._fail(operation, overloaded(), request_id=self._sockets.new_request_id())
            return
        operation.task = self._loop.create_task(self._run(operation, asked))

    async def _run(self, operation: Operation[RequestContext, None], asked: GraphQLRequest) -> None:
        """One operation from its request to its last result. Raises nothing but cancellation."""
        request_id = self._sockets.new_request_id()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        with suppress(WebSocketDisconnected):
            try:
                await self._send_results(operation, asked, request_id)
            except TransportFault as fault:
                await self._fail(operation, fault, request_id=request_id)
                if fault.code is FaultCode.UNAUTHENTICATED:
                    expired = fault.facts.get("reason") == "expired"
                    self.end(frames.EXPIRED if expired else frames.REVOKED)
            except CodedError as refusal:
                body = refusal_body(refusal, request_id=request_id)
                await self._finish(operation, type="error", payload=body["errors"])
            except WebSocketDisconnected:
                raise
            except Exception as fault:
                log.error("internal_error", exc_info=fault)
                masked = TransportFault(FaultCode.INTERNAL, INTERNAL_MESSAGE)
                await self._fail(operation, masked, request_id=request_id)

    async def _send_results(
        self, operation: Operation[RequestContext, None], asked: GraphQLRequest, request_id: str
    ) -> None:
        websocket, asked_at = self.websocket.websocket, self._loop.time()
        # Looked up anew: the member may have another name by now, or have signed out.
        context = await self._sockets.context(
            websocket, self._verified, asked_at=asked_at, request_id=request_id
        )
        asked = await self._sockets.find(websocket, asked, context)
        room = partial(self._room, operation)
        results = self._sockets.results(websocket, asked, context, asked_at=asked_at, room=room)
        async with aclosing(results):
            async for result in results:
                body = answer_body(result)
                if "data" not in body or isinstance(result, PreExecutionError):
                    await self._finish(operation, type="error", payload=body["errors"])
                    return
                await self.websocket.send_json(
                    {"id": operation.id, "type": "next", "payload": body}
                )
        await self._finish(operation, type="complete")

    async def _fail(
        self, operation: Operation[RequestContext, None], fault: TransportFault, *, request_id: str
    ) -> None:
        payload = [fault_error(fault, request_id=request_id)]
        await self._finish(operation, type="error", payload=payload)

    async def _finish(self, operation: Operation[RequestContext, None], **message: Any) -> None:
        """Send the last message of an operation, whose id is free from here on."""
        if self.operations.get(operation.id) is operation:
            del self.operations[operation.id]
        await self.websocket.send_json({"id": operation.id, **message})

    @contextmanager
    def _room(self, operation: Operation[RequestContext, None]) -> Iterator[None]:
        """Room for one more subscription, for as long as it lives."""
        limit = self._settings.subscriptions_max
        if len(self._following) >= limit:
            message = f"A connection has at most {limit} subscriptions."
            raise TransportFault(FaultCode.TOO_MANY_SUBSCRIPTIONS, message, limit=limit)
        self._following.add(operation)
        try:
            yield
        finally:
            self._following.discard(operation)

    def _beat(self) -> None:
        """Ping the peer, or end the connection of one that has not been heard for too long."""
        if self._unanswered >= UNANSWERED_MAX:
            self.end(frames.SILENT)
            return
        self._unanswered += 1
        self._timer = self._loop.call_later(self._settings.ping_every_s, self._beat)
        if self._errand is None or self._errand.done():
            self._errand = self._loop.create_task(self._ping())

    async def _ping(self) -> None:
        with suppress(WebSocketDisconnected):
            await self.websocket.send_json({"type": "ping"})

    async def _close_after(self, brief: list[asyncio.Task[None] | None], ending: Ending) -> None:
        """Close once what is answered in a moment was answered; not before a moment has passed."""
        if answering := [task for task in brief if task is not None]:
            await asyncio.wait(answering, timeout=ANSWERED_WITHIN_S)
        await self._close(ending)

    async def _close(self, ending: Ending) -> None:
        await self.websocket.close(ending.code, ending.reason)
