"""`/graphql` as a WebSocket: who may open one, and how it is served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import GraphQL
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.http.websocket_origin import is_same_origin
from strawberry.types import ExecutionResult
from uuid_utils.compat import uuid7

from api.authentication import Verified
from api.graphql_request import GraphQLRequest
from api.observability.requests import watched_socket
from api.rates.addresses import client_address
from api.request_context import request_context
from api.runtime import Runtime
from api.settings import Settings
from api.streaming import frames
from api.streaming.connections import Connections, TooManyConnections
from api.streaming.handler import SocketHandler
from api.streaming.operations import Line, Operations, Room
from api.streaming.socket import Socket
from api.stress.deadlines import deadline_exceeded
from api.transport import fault_response, overloaded
from resolvers.context import RequestContext

log = structlog.get_logger("jifen.streaming")

ASKED_AT_ONCE: Final = 4
"""Callers of sockets about whom the database is asked at the same time."""

MINI_PROGRAMS: Final = "https://servicewechat.com"
"""Where WeChat says that the pages of mini-programs come from."""


class Sockets(GraphQL[RequestContext, None]):
    """The endpoint."""

    def __init__(
        self, *, operations: Operations, settings: Settings, connections: Connections
    ) -> None:
        super().__init__(
            operations.schema,
            graphql_ide=None,
            subscription_protocols=(frames.PROTOCOL,),
            allowed_origins=sorted(allowed_origins(settings)),
        )
        self.settings = settings
        self.connections = connections
        self.operations = operations
        self._asking = asyncio.Semaphore(ASKED_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. Raises nothing but cancellation."""
        websocket = WebSocket(scope, receive, send)
        request_id = self.new_request_id()
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        # The connection's task has a context of its own, which ends with it.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        with watched_socket(scope):
            try:
                if self._may_open(websocket):
                    await self._serve(websocket)
                else:
                    log.warning("origin_refused", origin=websocket.headers["origin"][:200])
                    await self.reject_websocket(websocket)
            except (WebSocketDisconnect, WebSocketDisconnected, OSError):
                log.debug("peer_gone")  # It may be whenever something is said to it.

    async def context(
        self,
        websocket: WebSocket,
        credentials: Headers | Verified,
        *,
        asked_at: float,
        request_id: str = "",
    ) -> RequestContext:
        """Who asks, now. Raises TransportFault for a token that is not, or no longer, good.

        When everybody comes back at once, as after a restart, they are let in a few at a time. It
        is part of what the operation has time for: DEADLINE_EXCEEDED where that is over.
        """
        try:
            async with (
                asyncio.timeout_at(asked_at + self.operations.bounds.request_s_max),
                self._asking,
            ):
                return await request_context(
                    websocket,
                    settings=self.settings,
                    request_id=request_id,
                    credentials=credentials,
                )
        except TimeoutError:
            raise deadline_exceeded("NONE") from None

    async def find(
        self, websocket: WebSocket, asked: GraphQLRequest, context: RequestContext
    ) -> GraphQLRequest:
        """The request with the text of its document. Raises CodedError."""
        runtime: Runtime = websocket.app.state.runtime
        return await self.operations.find(asked, context, kept=runtime.kept_documents)

    def results(
        self,
        websocket: WebSocket,
        asked: GraphQLRequest,
        context: RequestContext,
        *,
        asked_at: float,
        room: Room,
    ) -> AsyncGenerator[ExecutionResult, None]:
        """The results of one operation of the connection."""
        state = websocket.app.state
        line = Line(
            "websocket", places=state.places, watch=state.watch, room=room, asked_at=asked_at
        )
        return self.operations.results(asked, context, line)

    @staticmethod
    def new_request_id() -> str:
        """An id for what is logged and answered about one operation."""
        return uuid7().hex

    def _may_open(self, websocket: WebSocket) -> bool:
        """Whether this is no page of a browser, or one that may use the API."""
        origin = websocket.headers.get("origin")
        return (
            origin is None
            # A proxy may have put another host there; what the browser says no page can forge.
            or websocket.headers.get("sec-fetch-site") == "same-origin"
            or is_same_origin(origin, websocket.headers.get("host"))
            or self.is_websocket_origin_allowed(websocket, origin)
        )

    async def _serve(self, websocket: WebSocket) -> None:
        socket = Socket(self, websocket, self.settings.streaming)
        handler = SocketHandler(self, socket)
        try:
            connection = self.connections.admit(client_address(websocket.scope), handler.end)
        except TooManyConnections:
            await websocket.send_denial_response(_no_room(websocket))
            return
        opened_at = time.perf_counter()
        try:
            subprotocol = await self.pick_websocket_subprotocol(websocket)
            await websocket.accept(subprotocol=subprotocol)
            if subprotocol is None:
                await socket.close(frames.UNKNOWN_PROTOCOL, "Subprotocol not acceptable")
            else:
                await handler.serve(connection)
        except Exception as fault:
            log.error("internal_error", exc_info=fault)
            await socket.close(frames.INTERNAL, "Internal server error")
        finally:
            self.connections.release(connection)
            log.info(
                "websocket",
                path=websocket.url.path,
                code=socket.closed_with.code if socket.closed_with else socket.peer_code,
                operations=handler.operations_begun,
                duration_ms=round((time.perf_counter() - opened_at) * 1_000, 1),
            )


def allowed_origins(settings: Settings) -> frozenset[str]:
    """The pages that may open a WebSocket, besides this server's own and whoever is no page.

    They are those that may use the API at all, and the mini-programs'. Every page (`*`) may in
    development alone. No cookie says who asks, so a page without a token gains nothing by it.
    """
    wildcard = {"*"} if settings.is_production else set[str]()
    return frozenset({MINI_PROGRAMS, *settings.cors_origins} - wildcard)


def _no_room(websocket: WebSocket) -> Response:
    return fault_response(overloaded(), request_id=websocket.state.request_id)
