"""A collector of traces: an HTTP server on loopback that takes OTLP as the product sends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Span:
    """One span as it arrived."""

    id: bytes
    parent: bytes
    trace_id: str
    name: str
    kind: int
    started_ns: int
    ended_ns: int
    failed: bool
    attributes: dict[str, Any]


@dataclass(slots=True)
class Collector:
    """What was taken so far. `hold` makes it hang: further requests wait until `released`."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def tree(self, trace_id: str) -> Any:
        """The spans of a trace as (name, [children]), in the order in which they began."""
        spans = sorted(
            (one for one in self.spans if one.trace_id == trace_id), key=lambda one: one.started_ns
        )
        ids = {one.id for one in spans}
        (root,) = (one for one in spans if one.parent not in ids)

        def below(span: Span) -> Any:
            children = [below(one) for one in spans if one.parent == span.id]
            return (span.name, children) if children else span.name

        return below(root)

    def one(self, name: str) -> Span:
        """The only span of this name."""
        (found,) = (one for one in self.spans if one.name == name)
        return found

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            self.services |= {
                one.value.string_value
                for one in resource.resource.attributes
                if one.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        id=span.span_id,
                        parent=span.parent_span_id,
                        trace_id=span.trace_id.hex(),
                        name=span.name,
                        kind=span.kind,
                        started_ns=span.start_time_unix_nano,
                        ended_ns=span.end_time_unix_nano,
                        failed=span.status.code == 2,
                        attributes={one.key: _plain(one.value) for one in span.attributes},
                    )
                    for span in scope.spans
                ]


def _plain(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that runs inside the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if collector.hold.is_set():
                collector.held.set()
                collector.released.wait(30)
                return
            collector.headers.append({name.lower(): text for name, text in self.headers.items()})
            collector.bodies.append(body)
            collector.take(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
