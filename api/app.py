"""The ASGI application, from settings, a schema and what start-up opens.

The composition root (`gateway.py`) says which schema, and what is opened and closed around serving:

    app = create_app(Settings(), build_schema=build_schema, open_runtime=open_runtime)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.authentication import Authenticator
from api.cors import CrossOrigin
from api.custody.downloads import downloads
from api.execution.executor import planned_execution
from api.execution.plans import Plans
from api.execution.settings import ExecutionSettings
from api.graphiql import static_files
from api.graphql_view import GraphQLView
from api.health import key_set, live, readiness
from api.limits import document_limits
from api.logs import RequestLog, configure_logs, request_id
from api.model_report.serving import report_route
from api.observability.names import OperationNames
from api.observability.operations import OperationWatch
from api.observability.serving import metrics_route
from api.observability.watching import watching
from api.pages.serving import pages
from api.partners.oauth import oauth
from api.partners.reconciliation import reconciliation_routes
from api.persisted.manifest import ManifestRefused, TrustedDocuments, read_manifest
from api.rates.addresses import client_address
from api.runtime import OpenRuntime, Runtime
from api.safe_headers import SafeHeaders
from api.settings import Settings
from api.streaming.connections import Connections
from api.streaming.lines import Lines
from api.streaming.sockets import Sockets
from api.stress.admission import Admission, Refusals
from api.stress.deadlines import Deadlines
from api.stress.draining import Draining, heeding_signals, leaving_in_order
from api.stress.places import Places
from api.telling.unsubscribing import unsubscribe_route
from api.transport import TransportFault, fault_response
from api.uploads.receiving import Uploads
from api.uploads.serving import attachments
from api.wechat_push import wechat_push
from schema.building import JifenSchema
from schema.documents import DocumentLimits
from schema.faults import FaultCode

BuildSchema: TypeAlias = Callable[[DocumentLimits], JifenSchema]


def create_app(
    settings: Settings,
    *,
    build_schema: BuildSchema,
    open_runtime: OpenRuntime,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application; `routes` are served beside its own.

    Logs are configured at once; nothing is opened before the server runs its lifespan. Handlers
    find what was opened as `request.app.state.runtime`, a `Runtime`.
    """
    configure_logs(production=settings.is_production, level=settings.log_level)
    schema = _executed(settings.execution, build_schema(document_limits(settings.limits)))
    places, refusals = Places(settings.stress), Refusals()
    connections = Connections(settings.streaming)
    view = GraphQLView(
        schema=schema,
        settings=settings,
        trusted=_trusted_documents(settings, schema),
        connections=connections,
    )
    sockets = Sockets(operations=view.operations, settings=settings, connections=connections)
    app = Starlette(
        routes=[*_routes(settings, schema, view), *routes],
        middleware=[
            Middleware(Lines, sockets={"/graphql": sockets}),
            Middleware(SafeHeaders),
            Middleware(CrossOrigin, origins=settings.cors_origins),
            Middleware(Admission, places=places, refusals=refusals),
            Middleware(RequestLog),
            Middleware(Deadlines, request_s_max=settings.stress.request_s_max),
        ],
        exception_handlers={
            HTTPException: _answer_http_exception,
            TransportFault: _answer_transport_fault,
        },
        lifespan=_lifespan(settings, open_runtime, connections),
    )
    app.router.redirect_slashes = False
    app.state.places, app.state.refusals = places, refusals
    app.state.connections = connections
    app.state.watch = OperationWatch(
        OperationNames(settings.metrics.operations_max, reserved=schema.documents.pinned_names()),
        slow_s=settings.slow_operation_ms / 1_000,
    )
    return app


def _executed(settings: ExecutionSettings, schema: JifenSchema) -> JifenSchema:
    """The schema, whose operations are executed by plans unless the settings forbid it."""
    if settings.plans:
        is_known = schema.documents.has_pinned
        plans = Plans(fields_max=settings.plan_fields_max, is_known=is_known)
        schema.execution_context_class = planned_execution(plans)
    return schema


def _lifespan(
    settings: Settings, open_runtime: OpenRuntime, connections: Connections
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        draining = Draining(drain_s=settings.stress.drain_s)
        with heeding_signals(draining):
            async with leaving_in_order(open_runtime(settings), draining) as runtime:
                app.state.runtime = runtime
                app.state.draining = draining
                async with (
                    watching(settings, queued=lambda: app.state.places.queued) as app.state.spans,
                    connections.kept(
                        begun=draining.begun, clock=runtime.clock, find_ended=runtime.find_ended
                    ),
                ):
                    yield

    return lifespan


def _trusted_documents(settings: Settings, schema: JifenSchema) -> TrustedDocuments:
    """The documents of the manifest. What is wrong with them ends the process with one line."""
    try:
        return read_manifest(settings.documents.manifest, schema=schema)
    except ManifestRefused as refusal:
        raise SystemExit(f"{refusal}") from None


def _routes(settings: Settings, schema: JifenSchema, view: GraphQLView) -> list[BaseRoute]:
    async def ready(request: Request) -> Response:
        return await readiness(
            _runtime(request).checks, draining=request.app.state.draining.begun.is_set()
        )

    async def jwks(request: Request) -> Response:
        return key_set(_runtime(request).jwks())

    async def schema_text(request: Request) -> Response:
        """The SDL; in production for those who bring a token, like introspection."""
        if settings.is_production:
            await _require_caller(request)
        return Response(schema.sdl, media_type="text/plain; charset=utf-8")

    routes: list[BaseRoute] = [
        Route("/graphql", view),
        Route("/livez", live),
        Route("/readyz", ready),
        Route("/.well-known/jwks.json", jwks),
        Route("/schema.graphql", schema_text),
        unsubscribe_route(),
        downloads(settings.custody),
        wechat_push(settings.wechat_pushes),
        *oauth(settings),
        *reconciliation_routes(settings),
        Uploads(settings, store=settings.attachments).route,
        attachments(settings, store=settings.attachments),
        report_route(settings),
        *metrics_route(
            settings.metrics, at_home=not settings.is_production and settings.workers == 1
        ),
    ]
    if not settings.is_production:
        routes += [static_files(), *pages(schema, settings)]
    return routes


async def _require_caller(request: Request) -> None:
    runtime = _runtime(request)
    services, address = runtime.services, client_address(request.scope)
    authenticator = Authenticator(services.tokens, runtime.confirm, services.rates)
    now = runtime.clock.now()
    asks = await authenticator.authenticate(request.headers, now=now, address=address)
    if asks.caller is None:
        raise TransportFault(
            FaultCode.UNAUTHENTICATED,
            "The schema needs a token on this server.",
            headers={"www-authenticate": 'Bearer realm="jifen"'},
        )


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


async def _answer_http_exception(request: Request, exception: Exception) -> Response:
    """Starlette's own refusals: no such path, or no such method there."""
    assert isinstance(exception, HTTPException), "registered for this class"
    headers = dict(exception.headers or {})
    if exception.status_code == 405:
        fault = TransportFault(
            FaultCode.METHOD_NOT_ALLOWED, "This path takes other methods.", headers=headers
        )
    elif exception.status_code == 404:
        fault = TransportFault(FaultCode.NOT_FOUND, "Nothing is served at this path.")
    else:
        fault = TransportFault(FaultCode.BAD_REQUEST, exception.detail, headers=headers)
    return fault_response(fault, request_id=request_id(request.scope))


async def _answer_transport_fault(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, TransportFault), "registered for this class"
    return fault_response(fault, request_id=request_id(request.scope))
