"""Executing an operation as graphql-core does and by plans, and comparing everything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, TypeAlias

import orjson
import strawberry
from graphql import DocumentNode, ExecutionResult, GraphQLError, execute
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.execution.executor import PlannedExecutor, planned_execution
from api.execution.plans import Plans

Stock: TypeAlias = StrawberryGraphQLCoreExecutionContext
"""The executor of graphql-core, as Strawberry has it."""


def planned(**bounds: Any) -> type[PlannedExecutor]:
    """The executor under test: it plans whatever it meets, at once."""
    return planned_execution(Plans(**{"fields_max": 10**6, "uses_before": 0, **bounds}))


async def executed(
    schema: strawberry.Schema,
    document: DocumentNode,
    *,
    by: type[Any] = Stock,
    variables: Mapping[str, Any] | None = None,
    context: Any = None,
    **more: Any,
) -> ExecutionResult:
    """The result of the document's one operation.

    One resolver that fails makes graphql-core cancel those beside it, and when these wait for the
    same loader as others, everything is cancelled: that is a result, too.
    """
    result: Any = execute(
        schema._schema,
        document,
        variable_values=dict(variables or {}),
        context_value=context,
        executor_class=by,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # as Strawberry passes it
        **more,
    )
    try:
        ended: ExecutionResult = await result if isawaitable(result) else result
        return ended
    except asyncio.CancelledError as cancelled:
        return ExecutionResult(None, [GraphQLError("cancelled", original_error=cancelled)])  # type: ignore[arg-type]  # to compare it


@dataclass(frozen=True, slots=True)
class Told:
    """All that an execution tells: bytes of the data, the errors, and what it did meanwhile."""

    data: bytes
    errors: list[Any]
    log: list[Any]


def told(result: ExecutionResult, log: list[Any]) -> Told:
    """What there is to compare, in the order in which it stands."""
    return Told(
        data=orjson.dumps(result.data, default=_strange, option=orjson.OPT_NON_STR_KEYS),
        errors=[_error(one) for one in result.errors or ()],
        log=log,
    )


def _error(error: GraphQLError) -> Any:
    cause = error.original_error
    return (
        error.formatted,
        type(cause).__name__,
        [node.loc and node.loc.start for node in error.nodes or ()],
    )


def _strange(value: Any) -> str:
    return type(value).__name__
