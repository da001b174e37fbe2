"""How the events of a subscription are executed: each as if it were a request of its own."""

from __future__ import annotations

from typing import Any

from graphql.execution import Executor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers.context import RequestContext


class JifenExecution(StrawberryGraphQLCoreExecutionContext):
    """Executes operations; the events of a subscription each with a context of their own.

    A subscription lives for hours: what is true now, and what was read once, must be asked anew.
    """

    def build_per_event_executor(self, payload: Any) -> Executor[Any]:
        """The executor of one event: same caller, same operation, another moment."""
        executor = super().build_per_event_executor(payload)
        context: RequestContext | None = self.context_value
        if context is not None:
            executor.context_value = context.renewed()
        return executor
