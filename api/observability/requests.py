"""One HTTP request, watched: counted by route and status, with a span where traces are on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Scope

from api.observability import tracing
from api.observability.metrics import HTTP_REQUESTS
from api.observability.names import OTHER
from api.observability.tracing import Part

CLIENT_CLOSED_REQUEST: Final = 499
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PATH_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class WatchedRequest:
    """A request under way. `told` is what its log lines add, `traceparent` what its answer says."""

    scope: Scope
    span: Part
    told: Mapping[str, str] = field(default_factory=dict)
    traceparent: str | None = None

    def end(self, status: int | None) -> None:
        """Count it. None is an answer that never began: its client left."""
        method = self.scope["method"] if self.scope["method"] in METHODS else OTHER
        route = route_of(self.scope)
        status = status or CLIENT_CLOSED_REQUEST
        HTTP_REQUESTS.labels(route, method, str(status)).inc()
        if not self.span.is_recorded:
            return
        self.span.rename(f"{method} {route}")
        self.span.describe(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "url.path": self.scope["path"][:_PATH_LENGTH_MAX],
                "jifen.request_id": self.scope["state"]["request_id"],
            }
        )
        if status >= 500:
            self.span.fail(str(status))


@contextmanager
def watched_request(scope: Scope) -> Iterator[WatchedRequest]:
    """The block that serves one HTTP request."""
    spans = _spans(scope)
    if spans is None:
        yield WatchedRequest(scope, tracing.NOT_RECORDED)
        return
    span = spans.request(scope["method"], Headers(scope=scope))
    with spans.within(span), tracing.recording(spans if span.is_recording() else None):
        yield WatchedRequest(
            scope,
            Part(spans, span) if span.is_recording() else tracing.NOT_RECORDED,
            told={"trace_id": spans.trace_id(span)},
            traceparent=spans.traceparent(),
        )


@contextmanager
def watched_socket(scope: Scope) -> Iterator[None]:
    """The block that serves one WebSocket: each operation on it begins a trace of its own."""
    with tracing.recording(_spans(scope)):
        yield


def _spans(scope: Scope) -> Any:
    app = scope.get("app")
    return getattr(app.state, "spans", None) if app is not None else None


def route_of(scope: Scope) -> str:
    """The path as it was declared: one of a closed set, or `other`."""
    app = scope.get("app")
    return _route(app.routes, scope["path"]) if app is not None else OTHER


def _route(routes: list[BaseRoute], path: str) -> str:
    for route in routes:
        if isinstance(route, Route) and route.path_regex.match(path):
            return route.path
        if isinstance(route, Mount) and path.startswith(f"{route.path}/"):
            return route.path
    return OTHER
