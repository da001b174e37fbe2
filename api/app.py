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
from api.graphiql import static_files
from api.graphql_view import GraphQLView
from api.health import key_set, live, readiness
from api.limits import document_limits
from api.logs import RequestLog, configure_logs, request_id
from api.runtime import OpenRuntime, Runtime
from api.settings import Settings
from api.transport import TransportFault, fault_response
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
    schema = build_schema(document_limits(settings.limits))
    app = Starlette(
        routes=[*_routes(settings, schema), *routes],
        middleware=[Middleware(RequestLog)],
        exception_handlers={
            HTTPException: _answer_http_exception,
            TransportFault: _answer_transport_fault,
        },
        lifespan=_lifespan(settings, open_runtime),
    )
    app.router.redirect_slashes = False
    return app


def _lifespan(
    settings: Settings, open_runtime: OpenRuntime
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_runtime(settings) as runtime:
            app.state.runtime = runtime
            yield

    return lifespan


def _routes(settings: Settings, schema: JifenSchema) -> list[BaseRoute]:
    sdl = schema.as_str() + "\n"

    async def ready(request: Request) -> Response:
        return await readiness(_runtime(request).checks)

    async def jwks(request: Request) -> Response:
        return key_set(_runtime(request).jwks())

    async def schema_text(request: Request) -> Response:
        """The SDL; in production for those who bring a token, like introspection."""
        if settings.is_production:
            await _require_caller(request)
        return Response(sdl, media_type="text/plain; charset=utf-8")

    routes: list[BaseRoute] = [
        Route("/graphql", GraphQLView(schema=schema, settings=settings)),
        Route("/livez", live),
        Route("/readyz", ready),
        Route("/.well-known/jwks.json", jwks),
        Route("/schema.graphql", schema_text),
    ]
    if not settings.is_production:
        routes.append(static_files())
    return routes


async def _require_caller(request: Request) -> None:
    runtime = _runtime(request)
    authenticator = Authenticator(tokens=runtime.services.tokens, confirm=runtime.confirm)
    asks = await authenticator.authenticate(request.headers, now=runtime.clock.now())
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
