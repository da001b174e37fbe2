"""Counts statements and waits for connections, and tells them to the operation that caused them."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final

from api.observability import tracing
from api.observability.metrics import CONNECTION_WAIT_SECONDS, STATEMENT_SECONDS
from api.observability.operations import current_operation
from domain.storage import Statement

KINDS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "BEGIN", "COMMIT"})


@lru_cache(maxsize=2_048)
def kind_of(text: str) -> str:
    """The verb of a statement, one of `KINDS`, or OTHER."""
    verb = text.lstrip()[:8].split(maxsplit=1)[0].upper() if text.strip() else ""
    return verb if verb in KINDS else "OTHER"


@cache
def _seconds(kind: str, outcome: str) -> Any:
    return STATEMENT_SECONDS.labels(kind, outcome)


@cache
def _waits(outcome: str) -> Any:
    return CONNECTION_WAIT_SECONDS.labels(outcome)


class StatementWatcher:
    """Listens to the storage. `system` is the database's name as OpenTelemetry spells it."""

    def __init__(self, *, system: str) -> None:
        self.system = system

    def statement_ended(self, statement: Statement) -> None:
        """Count it, for the process, for the operation and in the trace."""
        kind = kind_of(statement.text)
        _seconds(kind, "failed" if statement.failed else "ok").observe(statement.duration_s)
        operation = current_operation()
        if operation is not None:
            operation.add(statement)
        spans = tracing.current()
        if spans is not None:
            spans.statement(statement, kind=kind, system=self.system)

    def connection_awaited(self, waited_s: float, *, granted: bool) -> None:
        """Count the wait."""
        _waits("granted" if granted else "refused").observe(waited_s)
