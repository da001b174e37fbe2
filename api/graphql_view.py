"""GraphQL over HTTP: Strawberry's view, held to the GraphQL-over-HTTP draft and to our guards.

POST takes a JSON object; GET takes queries, in development only. Both media types are answered:
under `application/graphql-response+json` an answer without data has a 4xx status (or 500), under
`application/json` it has 200, as older clients expect. Everything that is wrong with the HTTP
request itself is 4xx under both, and JSON.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException, StarletteRequestAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.base import BaseRequestProtocol
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult

from api.authentication import Authenticator
from api.graphiql import graphiql_page
from api.limits import body_bytes_max
from api.logs import note_duration, request_id
from api.runtime import Runtime
from api.settings import Settings
from api.transport import (
    GRAPHQL_JSON,
    JSON,
    TransportFault,
    fault_response,
    parse_json,
    read_body,
    require_json,
    response_language,
    response_media_type,
)
from resolvers.context import RequestContext
from schema.building import JifenSchema
from schema.faults import FAULTS, FaultCode

PARAMETERS: Final[Mapping[str, tuple[type, str]]] = {
    "query": (str, "a string"),
    "operationName": (str, "a string"),
    "variables": (dict, "an object"),
    "extensions": (dict, "an object"),
}
"""The members of a GraphQL request with their types; each may be null or left out."""


class BoundedRequest(StarletteRequestAdapter):
    """A request whose body is read no further than its caller may send."""

    async def get_body(self) -> bytes:
        """The body. Raises TransportFault when it is too large."""
        return await read_body(self._request, bytes_max=self._request.state.body_bytes_max)


class GraphQLView(GraphQL[RequestContext, None]):
    """The endpoint `/graphql`."""

    request_adapter_class = BoundedRequest

    def __init__(self, *, schema: JifenSchema, settings: Settings) -> None:
        super().__init__(
            schema,
            graphql_ide=None if settings.is_production else "graphiql",
            allow_queries_via_get=not settings.is_production,
            subscription_protocols=(),
        )
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a fault of the transport is answered as JSON."""
        request = Request(scope, receive)
        try:
            response = await self.run(request)
        except HTTPException as fault:
            response = fault_response(
                _transport_fault(fault),
                request_id=request_id(scope),
                media_type=response_media_type(request.headers.get("accept")),
            )
        await response(scope, receive, send)

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """Strawberry's blueprint of the answer; it carries the media type the client wants."""
        response = await super().get_sub_response(request)
        response.media_type = response_media_type(request.headers.get("accept"))
        return response

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> RequestContext:
        """Authenticate, before the body is read. Raises TransportFault for a bad token."""
        started_at = time.perf_counter()
        runtime: Runtime = request.app.state.runtime
        now = runtime.clock.now()
        authenticator = Authenticator(tokens=runtime.services.tokens, confirm=runtime.confirm)
        asks = await authenticator.authenticate(request.headers, now=now)
        request.state.body_bytes_max = body_bytes_max(self.settings.limits, asks.caller)
        note_duration(request.scope, "auth", started_at)
        return RequestContext(
            caller=asks.caller,
            principal=asks.principal,
            now=now,
            language=response_language(request.headers.get("accept-language")),
            request_id=request_id(request.scope),
            services=runtime.services,
            opens_schema=asks.caller is not None or not self.settings.is_production,
        )

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        """Only for a browser that asks for the page itself."""
        return (
            self.graphql_ide is not None
            and request.method == "GET"
            and request.query_params.get("query") is None
            and "text/html" in request.headers.get("accept", "")
        )

    async def render_graphql_ide(self, request: Request) -> Response:
        """GraphiQL, with all it needs from this server."""
        return graphiql_page()

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """The GraphQL request: an object with members of the right types, or a TransportFault."""
        if request.method == "GET":
            data: Any = self._parse_query_string(request)
        else:
            encoding = request.headers.get("content-encoding", "identity")
            require_json(request.content_type, content_encoding=encoding)
            data = parse_json(await request.get_body())
        if not isinstance(data, dict):
            message = "The request must be a JSON object."
            raise TransportFault(FaultCode.BAD_REQUEST, message)
        for name, (kind, described) in PARAMETERS.items():
            if data.get(name) is not None and not isinstance(data[name], kind):
                message = f"`{name}` must be {described} or null."
                raise TransportFault(FaultCode.BAD_REQUEST, message)
        return GraphQLRequestData(
            query=data.get("query"),
            variables=data.get("variables"),
            operation_name=data.get("operationName"),
            extensions=data.get("extensions"),
        )

    async def execute_single(  # type: ignore[override]  # the same parameters, by keyword only
        self,
        *,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,
        context: RequestContext,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """Run the operation. Raises TransportFault when there is none to run by this method."""
        started_at = time.perf_counter()
        try:
            return await super().execute_single(
                request, request_adapter, sub_response, context, root_value, request_data
            )
        except HTTPException as refusal:
            raise _refused_operation(refusal) from None
        finally:
            note_duration(request.scope, "graphql", started_at)

    async def process_result(
        self, request: Request, result: ExecutionResult
    ) -> GraphQLHTTPResponse:
        """The response without a `data` entry when the operation did not run at all."""
        response = await super().process_result(request, result)
        if result.data is None and not any(error.path for error in result.errors or ()):
            del response["data"]
        return response

    def create_response(
        self,
        response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse],
        sub_response: Response,
    ) -> Response:
        """Encode the answer, with the media type the client wants and the status it implies."""
        media_type = sub_response.media_type or JSON
        status = 200
        headers = {}
        if media_type == GRAPHQL_JSON and "data" not in response_data:
            status = _status(response_data)
        if status == 401:
            headers["www-authenticate"] = 'Bearer realm="jifen"'
        return Response(
            orjson.dumps(response_data),
            status_code=status,
            headers=headers,
            media_type=f"{media_type}; charset=utf-8",
        )

    def _parse_query_string(self, request: AsyncHTTPRequestAdapter) -> dict[str, Any]:
        if not self.allow_queries_via_get:
            message = "This server takes queries by POST only."
            raise TransportFault(FaultCode.METHOD_NOT_ALLOWED, message, headers={"allow": "POST"})
        data: dict[str, Any] = dict(request.query_params)
        if any("\0" in text for text in data.values()):
            message = "Strings must not contain U+0000."
            raise TransportFault(FaultCode.BAD_USER_INPUT, message)
        for name in ("variables", "extensions"):
            if data.get(name):
                data[name] = parse_json(data[name])
        return data


def _refused_operation(refusal: HTTPException) -> TransportFault:
    """Why Strawberry would not run anything: the cause tells, the reason is for people."""
    cause = refusal.__cause__
    if isinstance(cause, InvalidOperationTypeError):
        return TransportFault(
            FaultCode.METHOD_NOT_ALLOWED, f"{refusal.reason}.", headers={"allow": "POST"}
        )
    if isinstance(cause, CannotGetOperationTypeError):
        message = (
            "The document has several operations; operationName must choose one."
            if cause.operation_name is None
            else refusal.reason
        )
        return TransportFault(FaultCode.OPERATION_RESOLUTION_FAILURE, message)
    assert isinstance(cause, MissingQueryError), "Strawberry refuses for these three reasons"
    return TransportFault(FaultCode.BAD_REQUEST, "`query` is missing.")


def _transport_fault(fault: HTTPException) -> TransportFault:
    """A fault with a code, also where Strawberry raised its own."""
    if isinstance(fault, TransportFault):
        return fault
    if fault.status_code == 405:
        return TransportFault(
            FaultCode.METHOD_NOT_ALLOWED,
            "GraphQL takes GET and POST only.",
            headers={"allow": "GET, POST"},
        )
    return TransportFault(FaultCode.BAD_REQUEST, fault.reason)


def _status(response: Mapping[str, Any] | list[Any]) -> int:
    """The status of an answer without data: that of its first error's code."""
    assert isinstance(response, Mapping), "batches are refused"
    code = response["errors"][0]["extensions"]["code"]
    return FAULTS[code].status if code in FAULTS else 400
