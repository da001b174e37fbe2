"""One operation, watched: its metrics, its span, and a line in the log when it was slow.

    with watch.operation(context) as watched:
        result = await schema.execute(...)
        watched.end(result)

Statements find the operation on whose behalf they run by a context variable, which the tasks of
its resolvers inherit.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import structlog
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult

from api.observability import tracing
from api.observability.metrics import (
    ERRORS,
    OPERATION_SECONDS,
    OPERATIONS_IN_FLIGHT,
    REFUSALS,
    SLOW_OPERATIONS,
    SUBSCRIPTION_EVENTS,
    SUBSCRIPTIONS,
)
from api.observability.names import INVALID, OperationNames
from api.observability.tracing import Part
from api.transport import TransportFault
from domain.storage import Statement
from resolvers.context import OperationFacts, RequestContext
from schema.faults import FAULTS, FaultCode

log = structlog.get_logger("jifen.slow")

Transport: TypeAlias = Literal["websocket", "sse"]

SLOWEST_TOLD: Final = 3
_TEXT_LENGTH_MAX: Final = 500
_OUTCOMES: Final = {
    FaultCode.INTERNAL: "fault",
    FaultCode.OVERLOADED: "overloaded",
    FaultCode.DEADLINE_EXCEEDED: "late",
    FaultCode.RATE_LIMITED: "limited",
    FaultCode.COST_LIMIT: "limited",
    FaultCode.TOO_MANY_SUBSCRIPTIONS: "limited",
}
"""What the worst code of an answer makes of it, worst first; any other one: `failed`."""

_operation: ContextVar[WatchedOperation | None] = ContextVar("operation", default=None)


def current_operation() -> WatchedOperation | None:
    """The operation that runs here, if one is watched."""
    return _operation.get()


@dataclass(slots=True)
class WatchedOperation:
    """What is known of an operation while it runs."""

    facts: OperationFacts
    outcome: str | None = "failed"
    """None for what turned out to be no operation of one result: it is not measured."""
    statements: int = 0
    statement_s: float = 0.0
    _slowest: list[tuple[float, int, str]] = field(default_factory=list)
    """A heap of duration, turn and text: the least of the slowest stands first."""

    def add(self, statement: Statement) -> None:
        """Count a statement that ran on its behalf."""
        self.statements += 1
        self.statement_s += statement.duration_s
        told = (statement.duration_s, self.statements, statement.text)
        if len(self._slowest) < SLOWEST_TOLD:
            heapq.heappush(self._slowest, told)
        elif told > self._slowest[0]:
            heapq.heapreplace(self._slowest, told)

    def end(self, result: ExecutionResult) -> None:
        """Note how it ended: what the client is going to be told."""
        codes = [str((error.extensions or {}).get("code", "")) for error in result.errors or ()]
        for code in codes:
            ERRORS.labels(code if code in FAULTS else "other").inc()
        for code in self.facts.refusals:
            REFUSALS.labels(code).inc()
        self.outcome = self._outcome(codes, has_data=result.data is not None)

    def end_by(self, failure: BaseException, *, is_late: Callable[[], bool]) -> None:
        """Note that it ended without a result."""
        match failure:
            case TransportFault():
                self.outcome = self._outcome([failure.code], has_data=False)
            case InvalidOperationTypeError():
                self.outcome = None  # A subscription, which is watched otherwise.
            case CannotGetOperationTypeError() | MissingQueryError():
                self.outcome = "failed"  # The request names nothing that could run.
            case asyncio.CancelledError():
                self.outcome = "late" if is_late() else "cancelled"
            case _:
                self.outcome = "fault"

    def _outcome(self, codes: list[str], *, has_data: bool) -> str:
        if not codes:
            return "refused" if self.facts.refusals else "ok"
        for code, outcome in _OUTCOMES.items():
            if code in codes:
                return outcome
        return "partial" if has_data else "failed"

    def slowest(self) -> list[dict[str, object]]:
        """The slowest statements, slowest first."""
        return [
            {"ms": round(duration_s * 1_000, 1), "sql": " ".join(text.split())[:_TEXT_LENGTH_MAX]}
            for duration_s, _, text in sorted(self._slowest, reverse=True)
        ]

    def document_hash(self) -> str | None:
        """The SHA-256 of the document's text, by which persisted documents are known too."""
        if self.facts.document is None:
            return None
        return hashlib.sha256(self.facts.document.encode()).hexdigest()


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class OperationWatch:
    """Watches the operations of one process."""

    names: OperationNames
    slow_s: float

    @contextmanager
    def operation(
        self, context: RequestContext, *, is_late: Callable[[], bool] = _never
    ) -> Iterator[WatchedOperation]:
        """The block that runs one operation. Tell it the result; what is raised tells itself.

        `is_late` is asked when the block is cancelled: whether its deadline was the reason.
        """
        watched = WatchedOperation(context.operation)
        token = _operation.set(watched)
        started_at = time.perf_counter()
        OPERATIONS_IN_FLIGHT.inc()
        try:
            with tracing.part("operation") as span:
                try:
                    yield watched
                except BaseException as failure:
                    watched.end_by(failure, is_late=is_late)
                    raise
                finally:
                    self._describe(span, watched)
        finally:
            OPERATIONS_IN_FLIGHT.dec()
            _operation.reset(token)
            self._measure(watched, context, duration_s=time.perf_counter() - started_at)

    @contextmanager
    def subscription(self, transport: Transport) -> Iterator[None]:
        """The block during which a subscription is open."""
        with SUBSCRIPTIONS.labels(transport).track_inprogress():
            yield

    def event(self, context: RequestContext, event: ExecutionResult) -> None:
        """A subscription is about to be told of something."""
        SUBSCRIPTION_EVENTS.labels(self._label(context.operation)).inc()
        WatchedOperation(context.operation).end(event)

    def _label(self, facts: OperationFacts) -> str:
        return self.names.label(facts.name) if facts.kind is not None else INVALID

    def _describe(self, span: Part, watched: WatchedOperation) -> None:
        if not span.is_recorded:
            return
        facts, label = watched.facts, self._label(watched.facts)
        span.rename(f"{facts.kind or 'operation'} {label}")
        attributes = {
            "graphql.operation.name": label,
            "graphql.operation.type": facts.kind,
            "graphql.document.hash": watched.document_hash(),
            "jifen.cost": facts.cost,
            "jifen.outcome": watched.outcome,
        }
        span.describe({name: value for name, value in attributes.items() if value is not None})
        if watched.outcome in {"fault", "overloaded", "late"}:
            span.fail(watched.outcome)

    def _measure(
        self, watched: WatchedOperation, context: RequestContext, *, duration_s: float
    ) -> None:
        if watched.outcome is None:
            return
        label = self._label(watched.facts)
        OPERATION_SECONDS.labels(label, watched.outcome).observe(duration_s)
        if duration_s < self.slow_s:
            return
        SLOW_OPERATIONS.labels(label).inc()
        log.warning(
            "slow_operation",
            request_id=context.request_id,
            operation=label,
            kind=watched.facts.kind,
            document=watched.document_hash(),
            caller=str(context.caller.kind) if context.caller else "anonymous",
            outcome=watched.outcome,
            duration_ms=round(duration_s * 1_000, 1),
            statements=watched.statements,
            statements_ms=round(watched.statement_s * 1_000, 1),
            cost=watched.facts.cost,
            slowest=watched.slowest(),
        )
