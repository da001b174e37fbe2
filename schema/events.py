"""Following: a subscription begins like any operation, and costs little while nothing happens.

Strawberry keeps all that belongs to an operation for as long as its stream lasts, and most streams
wait most of the time. Here a subscription that has begun is its document, its variables and its
source of events; each event is then charged and executed as if it were a request of its own, at its
own moment and with nothing read yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import DocumentNode, GraphQLError
from graphql.execution import ExecutionResult as GraphQLExecutionResult
from graphql.execution import Executor, create_source_event_stream
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from resolvers.context import RequestContext
from schema.faults import CodedError, FaultCode


@dataclass(frozen=True, slots=True)
class Following:
    """A subscription that has begun. Whoever takes it closes its source.

    `cost` is what each of its events costs: as much as beginning it did.
    """

    source: AsyncGenerator[Any, None]
    document: DocumentNode
    operation_name: str | None
    variables: dict[str, Any] | None
    context: RequestContext
    cost: int

    async def charge(self) -> None:
        """Take what one event costs from whoever follows. Raises RateLimited."""
        context = self.context
        await context.services.rates.charge(context.rate_key, self.cost, now=context.clock.now())


class FollowingSchema(strawberry.Schema):
    """Strawberry's schema, with subscriptions in two steps."""

    async def begin(
        self,
        query: str | None,
        *,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        context: RequestContext,
    ) -> Following | ExecutionResult:
        """Begin a subscription, after the checks of any operation; or the errors why it does not.

        Raises InvalidOperationTypeError, CannotGetOperationTypeError and MissingQueryError, as
        `execute` does.
        """
        execution = self._create_execution_context(
            query=query,
            allowed_operation_types=(OperationType.SUBSCRIPTION,),
            variable_values=variables,
            context_value=context,
            operation_name=operation_name,
        )
        extensions = self.get_extensions()
        for extension in extensions:
            extension.execution_context = execution
        runner = self.create_extensions_runner(execution, extensions)
        try:
            async with runner.operation():
                refused = await self._prepare_operation_async(execution, runner)
                if refused is not None:
                    return self.failed(refused.errors or [], context)
                async with runner.executing():
                    source = await self._source(execution)
        except (CannotGetOperationTypeError, InvalidOperationTypeError, MissingQueryError):
            raise
        except Exception as failure:
            return self.failed([failure], context)
        if isinstance(source, GraphQLExecutionResult):
            return self.failed(source.errors or [], context)
        assert isinstance(source, AsyncGenerator), "sources are generators, which can be closed"
        assert execution.graphql_document is not None, "it was prepared"
        return Following(
            source=source,
            document=execution.graphql_document,
            operation_name=execution.operation_name,
            variables=variables,
            context=context,
            cost=context.spending.requested or 0,
        )

    async def execute_event(
        self, following: Following, payload: Any, *, seconds_max: float
    ) -> ExecutionResult:
        """The result of one event, which has so much time; after that it is one without data."""
        context = following.context.renewed()
        executor = self._executor(
            following.document, payload, context, following.variables, following.operation_name
        )
        try:
            async with asyncio.timeout(seconds_max):
                result = executor.execute_operation(False)
                if executor.is_awaitable(result):
                    result = await result
        except TimeoutError:
            message = "The event was not ready in time. Follow anew, from the last cursor."
            late = CodedError(FaultCode.DEADLINE_EXCEEDED, message, retryable=True, outcome="NONE")
            return self.failed([late], context)
        assert isinstance(result, GraphQLExecutionResult), "nothing is delivered by parts"
        if result.errors:
            self.process_errors(result.errors, self._execution_of(context))
        return ExecutionResult(data=result.data, errors=result.errors)

    def failed(self, failures: Sequence[Exception], context: RequestContext) -> PreExecutionError:
        """The result of what did not run, or can go on no further."""
        errors = [
            one if isinstance(one, GraphQLError) else GraphQLError(str(one), original_error=one)
            for one in failures
        ]
        self.process_errors(errors, self._execution_of(context))
        return PreExecutionError(data=None, errors=errors)

    async def _source(self, execution: ExecutionContext) -> AsyncIterable[Any] | Any:
        """The events of the operation, or the result that says why there are none."""
        assert execution.graphql_document is not None, "it was prepared"
        executor = self._executor(
            execution.graphql_document,
            None,
            execution.context,
            execution.variables,
            execution.operation_name,
        )
        source: Any = create_source_event_stream(executor)
        return await source if executor.is_awaitable(source) else source

    def _executor(
        self,
        document: DocumentNode,
        root: Any,
        context: RequestContext,
        variables: dict[str, Any] | None,
        operation_name: str | None,
    ) -> Executor[Any]:
        """What executes the operation once. Raises GraphQLError for variables that do not fit."""
        built = self.execution_context_class.build(
            self._schema,
            document,
            root_value=root,
            context_value=context,
            raw_variable_values=variables,
            operation_name=operation_name,
        )
        if isinstance(built, list):
            raise built[0]
        return built

    def _execution_of(self, context: RequestContext) -> ExecutionContext:
        """What Strawberry hands to `process_errors`: of it only the context is asked."""
        return self._create_execution_context(
            query=None, allowed_operation_types=(), context_value=context
        )
