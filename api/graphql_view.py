"""GraphQL over HTTP: Strawberry's view, held to the GraphQL-over-HTTP draft and to our guards.

POST takes a JSON object; GET takes queries, in production only those whose document the server
knows by its hash. Both media types are answered: under `application/graphql-response+json` an
answer without data has a 4xx status (or 500), under `application/json` it has 200, as older clients
expect. Everything that is wrong with the HTTP request itself is 4xx under both, and JSON.

`GraphQLView.serve` is the order of things.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.http import GraphQLHTTPResponse
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from api.build import build_id
from api.compression import compress
from api.conditional import TAGGED, Conditional, is_shown, not_modified
from api.graphiql import graphiql_page
from api.graphql_answer import (
    answer,
    answer_body,
    refusal_body,
    refused_operation,
    transport_fault,
)
from api.graphql_request import GraphQLRequest, read_post, read_request
from api.logs import note_duration, request_id
from api.observability.operations import OperationWatch
from api.partners.signing import signed
from api.persisted.finding import DocumentDesk, Found
from api.persisted.manifest import TrustedDocuments
from api.request_context import request_context
from api.runtime import Runtime
from api.settings import Settings
from api.streaming.connections import Connections
from api.streaming.events import EventStreams
from api.streaming.operations import Operations
from api.stress.deadlines import deadline_of
from api.stress.entry import admit
from api.transport import (
    TransportFault,
    fault_response,
    rate_limited,
    require_acceptable,
    response_media_type,
)
from resolvers.context import RequestContext
from schema.building import JifenSchema
from schema.charging import charge, charge_document, refusals_charged
from schema.cost import STATEMENT_COST
from schema.faults import CodedError, FaultCode

COST_HEADER: Final = "x-jifen-cost"
OPERATIONS: Final = {
    "GET": frozenset({OperationType.QUERY}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
}
"""What each method may run. A GET changes nothing, whatever it asks."""


class GraphQLView(GraphQL[RequestContext, None]):
    """The endpoint `/graphql`."""

    def __init__(
        self,
        *,
        schema: JifenSchema,
        settings: Settings,
        trusted: TrustedDocuments,
        connections: Connections,
    ) -> None:
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self.schema: JifenSchema = schema
        self.settings = settings
        self.documents = DocumentDesk(trusted, settings.documents)
        self.operations = Operations(schema=schema, bounds=settings.stress, desk=self.documents)
        self.streams = EventStreams(
            operations=self.operations, connections=connections, settings=settings.streaming
        )
        self.conditional = Conditional(schema, build_id())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a fault of the transport is answered as JSON."""
        request = Request(scope, receive)
        try:
            response = await self.serve(request)
        except HTTPException as fault:
            response = fault_response(
                transport_fault(fault),
                request_id=request_id(scope),
                media_type=response_media_type(request.headers.get("accept")),
            )
        await response(scope, receive, send)

    async def serve(self, request: Request) -> Response:
        """One request: who asks, what, whether it may, and the answer. Raises TransportFault."""
        if request.method not in OPERATIONS:
            raise TransportFault(
                FaultCode.METHOD_NOT_ALLOWED,
                "GraphQL takes GET and POST only.",
                headers={"allow": "GET, POST"},
            )
        if self._asks_for_page(request):
            return graphiql_page()
        require_acceptable(request.headers.get("accept"))
        # 1. Authenticate, before anything is read.
        context = await self.authenticate(request)
        # 2. Admission: whether there is room for this caller now (for anybody, was asked before).
        admit(request, context.caller, bounds=self.settings.stress)
        # 3. Read the body; what a partner signed is verified before anything is parsed.
        limits = self.settings.limits
        body_sent = await read_post(request, limits=limits, caller=context.caller)
        context = await signed(request, body_sent, context)
        asked = read_request(request, body_sent, limits=limits)
        media_type = response_media_type(request.headers.get("accept"))
        # 4. Find the document.
        try:
            found = await self.find(request, asked, context)
            await charge_document(context, self.schema.documents, found.text)
        except CodedError as refusal:
            body = refusal_body(refusal, request_id=context.request_id)
            return self._finished(request, answer(body, media_type=media_type))
        asked = replace(asked, query=found.text)
        if self.streams.wanted(request, asked):
            return await self.streams.respond(request, asked, found, context)
        # 5. Whether the client has the answer already.
        etag = await self._etag(request, asked, found, context)
        if etag is not None and is_shown(etag, request.headers.get("if-none-match")):
            _tell_operation(context, asked)
            await _charge_for_looking(context)
            return self._finished(request, not_modified(etag))
        # 6. Charge; 7. execute under the deadline.
        result = await self.execute(request, asked, context)
        await self._keep(request, found, context)
        # 8. Answer.
        body = answer_body(result)
        response = answer(body, media_type=media_type)
        if etag is not None and body.keys() == {"data"}:
            response.headers.update({"etag": etag, **TAGGED})
        may_change = self.schema.documents.may_change(found.text, asked.operation_name)
        return self._finished(request, response, compressed=not may_change)

    async def find(self, request: Request, asked: GraphQLRequest, context: RequestContext) -> Found:
        """The document that the request means. Raises CodedError, or TransportFault for a GET that
        production does not serve.
        """
        runtime: Runtime = request.app.state.runtime
        kept = runtime.kept_documents
        async with refusals_charged(context):
            found = await self.documents.find(asked, caller=context.caller, kept=kept)
        is_unknown = found.text is not None and (found.digest is None or found.is_new)
        if request.method == "GET" and self.settings.is_production and is_unknown:
            message = "This server takes GET for documents that it knows by their hash."
            raise TransportFault(FaultCode.METHOD_NOT_ALLOWED, message, headers={"allow": "POST"})
        return found

    async def authenticate(self, request: Request) -> RequestContext:
        """Who asks, when, in which language. Raises TransportFault for a bad token."""
        started_at = time.perf_counter()
        context = await request_context(
            request,
            settings=self.settings,
            request_id=request_id(request.scope),
            tells_cost=request.headers.get(COST_HEADER) == "1",
        )
        note_duration(request.scope, "auth", started_at)
        return context

    async def execute(
        self, request: Request, asked: GraphQLRequest, context: RequestContext
    ) -> ExecutionResult:
        """Run the operation. Raises TransportFault when there is none to run by this method."""
        started_at = time.perf_counter()
        deadline = deadline_of(request.scope)
        deadline.begins(lambda: self.schema.documents.may_change(asked.query, asked.operation_name))
        watch: OperationWatch = request.app.state.watch
        with watch.operation(context, is_late=lambda: deadline.passed) as watched:
            try:
                result = await self.schema.execute(
                    asked.query,
                    variable_values=asked.variables,
                    context_value=context,
                    operation_name=asked.operation_name,
                    operation_extensions=asked.extensions,
                    allowed_operation_types=OPERATIONS[request.method],
                )
            except (
                CannotGetOperationTypeError,
                InvalidOperationTypeError,
                MissingQueryError,
            ) as refusal:
                raise refused_operation(refusal, method=request.method) from None
            finally:
                note_duration(request.scope, "graphql", started_at)
            watched.end(result)
            return result

    async def process_result(
        self, request: Request, result: ExecutionResult
    ) -> GraphQLHTTPResponse:
        """The result as JSON values, for Strawberry's own transports too."""
        return answer_body(result)

    def _asks_for_page(self, request: Request) -> bool:
        """Whether a browser asks for GraphiQL itself, which only developers get."""
        return (
            not self.settings.is_production
            and request.method == "GET"
            and not request.query_params.keys() & {"query", "documentId", "extensions"}
            and "text/html" in request.headers.get("accept", "")
        )

    async def _etag(
        self, request: Request, asked: GraphQLRequest, found: Found, context: RequestContext
    ) -> str | None:
        """The tag of the answer to a GET; none where the answer tells its cost, which varies."""
        if request.method != "GET" or COST_HEADER in request.headers:
            return None
        started_at = time.perf_counter()
        runtime: Runtime = request.app.state.runtime
        etag = await self.conditional.etag(asked, found, context=context, revise=runtime.revise)
        note_duration(request.scope, "etag", started_at)
        return etag

    async def _keep(self, request: Request, found: Found, context: RequestContext) -> None:
        """Keep a document that came with its hash, if it is valid. A GET keeps nothing."""
        is_valid = found.text is not None and self.schema.documents.kept(found.text) is not None
        if request.method == "POST" and is_valid:
            runtime: Runtime = request.app.state.runtime
            await self.documents.keep(found, caller=context.caller, kept=runtime.kept_documents)

    def _finished(
        self, request: Request, response: Response, *, compressed: bool = False
    ) -> Response:
        """The answer, compressed where it may be and is long enough."""
        bytes_min = self.settings.compression_bytes_min
        if bytes_min > 0:
            response.headers.add_vary_header("Accept-Encoding")
        if compressed and 0 < bytes_min <= len(response.body):
            compress(response, accept_encoding=request.headers.get("accept-encoding"))
        return response


async def _charge_for_looking(context: RequestContext) -> None:
    """Charge for the statement behind a tag. Raises TransportFault."""
    try:
        await charge(context, STATEMENT_COST)
    except CodedError as refusal:
        raise rate_limited((refusal.extensions or {})["retryAfter"]) from None


def _tell_operation(context: RequestContext, asked: GraphQLRequest) -> None:
    """Say for whoever watches what was answered without being run."""
    context.operation.document, context.operation.kind = asked.query, "query"
    context.operation.name = asked.operation_name
