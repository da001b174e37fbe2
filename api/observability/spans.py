"""Spans of OpenTelemetry, sent by OTLP over HTTP. Imported only where an endpoint is set.

Spans are handed to a thread with a bounded queue. A collector that is slow or away costs spans,
which are counted, and nothing else: no request waits for it, and the end of the process waits a
moment only.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Final

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    format_trace_id,
    get_current_span,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from api.observability.metrics import TRACE_FAILURES
from api.observability.settings import TraceSettings
from api.observability.tracing import Attributes
from domain.storage import Statement

log = structlog.get_logger("jifen.traces")

QUEUE_MAX: Final = 2_048
EXPORT_EVERY_MS: Final = 1_000
EXPORT_TIMEOUT_S: Final = 5.0
FLUSH_S: Final = 0.5
"""How long the end of the process waits for the last spans to be taken."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Spans:
    """Makes the spans of this process and sends them."""

    def __init__(self, settings: TraceSettings) -> None:
        self._exporter = OTLPSpanExporter(
            endpoint=settings.endpoint,
            headers={name: text.get_secret_value() for name, text in settings.headers.items()},
            timeout=EXPORT_TIMEOUT_S,
        )
        ratio = TraceIdRatioBased(settings.sample_ratio)
        # Callers may leave a trace unrecorded, but cannot make us record more than our share.
        self._provider = TracerProvider(
            sampler=ParentBased(ratio, remote_parent_sampled=ratio),
            resource=Resource.create({SERVICE_NAME: settings.service_name}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter, max_queue_size=QUEUE_MAX, schedule_delay_millis=EXPORT_EVERY_MS
            )
        )
        self._tracer = self._provider.get_tracer("jifen")
        self._complaints = _Complaints()
        logging.getLogger("opentelemetry").addHandler(self._complaints)
        logging.getLogger("opentelemetry").propagate = False

    def request(self, name: str, headers: Mapping[str, str]) -> Span:
        """The span of a request; it goes on with the trace that `headers` name, if they do."""
        parent = _PROPAGATOR.extract(headers)
        return self._tracer.start_span(name, context=parent, kind=SpanKind.SERVER)

    def within(self, span: Span) -> AbstractContextManager[Span]:
        """The block that `span` stands for; it ends with it."""
        return use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        )

    def child(
        self, name: str, attributes: Attributes | None, *, calls: bool
    ) -> AbstractContextManager[Span]:
        """The block of a span below the current one."""
        kind = SpanKind.CLIENT if calls else SpanKind.INTERNAL
        return self.within(self._tracer.start_span(name, kind=kind, attributes=attributes))

    def statement(self, statement: Statement, *, kind: str, system: str) -> None:
        """A span for a statement that has ended, if it ran inside another span."""
        if not get_current_span().is_recording():
            return
        attributes: dict[str, str | int] = {
            "db.system.name": system,
            "db.operation.name": kind,
            "db.query.text": statement.text,
        }
        if statement.rows is not None:
            attributes["db.response.returned_rows"] = statement.rows
        began_ns = time.time_ns() - round((time.perf_counter() - statement.started_at) * 1e9)
        span = self._tracer.start_span(
            kind, kind=SpanKind.CLIENT, start_time=began_ns, attributes=attributes
        )
        if statement.failed:
            self.mark_failed(span, "failed")
        span.end(end_time=began_ns + round(statement.duration_s * 1e9))

    def mark_failed(self, span: Span, reason: str) -> None:
        """Say that it failed, and by which code or class."""
        span.set_status(Status(StatusCode.ERROR))
        span.set_attribute("error.type", reason)

    def trace_id(self, span: Span) -> str:
        """The id of its trace, as log lines name it."""
        return format_trace_id(span.get_span_context().trace_id)

    def traceparent(self) -> str | None:
        """The W3C header for the current span."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get("traceparent")

    def flush(self) -> None:
        """Send what waits; blocks until it is sent or was given up. For tests."""
        self._provider.force_flush()

    def close(self) -> None:
        """Send what waits if that goes quickly, and end; blocks for about `FLUSH_S` at most."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(FLUSH_S)
        if ending.is_alive():
            # It waits to try again; this ends its wait.
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK's
        logging.getLogger("opentelemetry").removeHandler(self._complaints)
        logging.getLogger("opentelemetry").propagate = True


class _Complaints(logging.Handler):
    """What the exporter has to say, counted, and in our log once a minute."""

    EVERY_S: Final = 60.0

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told_at = -self.EVERY_S

    def emit(self, record: logging.LogRecord) -> None:
        """Count one complaint."""
        TRACE_FAILURES.inc()
        now = time.monotonic()
        if now - self._told_at >= self.EVERY_S:
            self._told_at = now
            log.warning("traces_not_exported", reason=record.getMessage()[:300])
