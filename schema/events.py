"""How the events of a subscription are executed: each as if it were a request of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from graphql.execution import ExecutionResult, Executor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers.context import RequestContext
from schema.faults import CodedError, FaultCode


class JifenExecution(StrawberryGraphQLCoreExecutionContext):
    """Executes operations; the events of a subscription each with a context of their own.

    A subscription lives for hours: what is true now, and what was read once, must be asked anew.
    """

    seconds_max: float | None = None

    def build_per_event_executor(self, payload: Any) -> Executor[Any]:
        """The executor of one event: same caller, same operation, another moment."""
        executor = super().build_per_event_executor(payload)
        context: RequestContext | None = self.context_value
        if context is not None:
            executor.context_value = context.renewed()
            executor.seconds_max = context.event_s_max  # type: ignore[attr-defined]  # this class
        return executor

    def execute_operation(self, serially: bool | None = None) -> Any:
        """Execute the operation, or the event, which has so much time and no more."""
        result = super().execute_operation(serially)
        if self.seconds_max is None or not self.is_awaitable(result):
            return result
        return self._in_time(result, self.seconds_max)

    async def _in_time(
        self, result: Awaitable[ExecutionResult], seconds_max: float
    ) -> ExecutionResult:
        try:
            async with asyncio.timeout(seconds_max):
                return await result
        except TimeoutError:
            message = "The event was not ready in time. Follow anew, from the last cursor."
            raise CodedError(
                FaultCode.DEADLINE_EXCEEDED, message, retryable=True, outcome="NONE"
            ) from None
