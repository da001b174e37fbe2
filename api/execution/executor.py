"""Where plans meet graphql-core: its executor, with what is planned made by functions.

Only three of its methods do more than graphql-core's, and each hands on to it what it cannot make.
Operations are executed as by graphql-core alone where an extension wraps resolvers, where a signal
may abort them, and where parts of the answer are delivered later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, ClassVar, Final, cast

from graphql import GraphQLObjectType, GraphQLOutputType, GraphQLResolveInfo
from graphql.execution.collect_fields import DeferUsage, FieldDetailsList, GroupedFieldSet
from graphql.pyutils import AwaitableOrValue, Path
from graphql.pyutils.is_awaitable import is_awaitable
from strawberry import Info
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.execution.plans import OperationPlan, PlannedObject, PlannedValue, Plans
from api.observability.metrics import PLANNED_OPERATIONS, PLANNED_VALUES

_UNMET: Any = object()

_EITHER: Final = (optimized_is_awaitable, is_awaitable)
"""What is awaitable, as the functions have it too: Strawberry's answer, or graphql-core's own."""


class _OnlyContext:
    """All that a plain method is told of the request. Who asks for more makes the plan give up."""

    __slots__ = ("context",)

    def __init__(self, context: Any) -> None:
        self.context = context


class PlannedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes one operation, by its plan if it has one."""

    plans: ClassVar[Plans]

    _plan: OperationPlan | None = None
    _info: Any = None
    _planned: int = 0
    _given_up: int = 0

    def execute_collected_root_fields(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        serially: bool,
        new_defer_usages: Sequence[DeferUsage],
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Find the plan, then execute the operation with the fields that the plan knows."""
        if self._may_plan() and not new_defer_usages:
            plan = self._plan = self.plans.plan(self, grouped_field_set)
            if plan is not None:
                grouped_field_set = plan.root
                self._relevant_sub_fields = plan.sub_fields
                self._info = Info(_raw_info=_OnlyContext(self.context_value), _field=None)  # type: ignore[arg-type]  # on purpose
        return super().execute_collected_root_fields(
            root_type, root_value, grouped_field_set, serially, new_defer_usages
        )

    def complete_value(  # noqa: PLR0917 - graphql-core's
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> AwaitableOrValue[Any]:
        """Make the value of a field by its function, if it has one that does not give up."""
        plan = self._plan
        if plan is not None:
            planned: PlannedValue | None = plan.values.get(id(field_details_list), _UNMET)
            if planned is _UNMET:
                planned = plan.plan_value(return_type, field_details_list, self.collect_subfields)
            # For what is inside a list, or not null, graphql-core asks again.
            if planned is not None and planned.type is return_type:
                try:
                    made = planned.make(result, self._info)
                except Exception:
                    self._given_up += 1
                else:
                    self._planned += 1
                    return made
        return super().complete_value(
            return_type, field_details_list, info, path, result, position_context
        )

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Fill in what is pure of an object, and execute the other fields."""
        plan = self._plan
        if plan is not None:
            planned: PlannedObject | None = plan.objects.get(id(grouped_field_set), _UNMET)
            if planned is _UNMET:
                planned = plan.plan_object(parent_type, grouped_field_set, self.collect_subfields)
            if planned is not None:
                made: dict[str, Any]
                try:
                    made = planned.fill(source_value, self._info)
                except Exception:
                    self._given_up += 1
                else:
                    self._planned += 1
                    if not planned.others:
                        return made
                    others = super().execute_fields(
                        parent_type, source_value, path, planned.others, position_context
                    )
                    if self.is_awaitable(others):
                        return _joined(made, others)
                    made.update(cast("dict[str, Any]", others))
                    return made
        return super().execute_fields(
            parent_type, source_value, path, grouped_field_set, position_context
        )

    def build_response(self, data: dict[str, Any] | None) -> Any:
        """Count how the operation was executed, then build its response."""
        how = "planned" if self._planned else "unplanned"
        PLANNED_OPERATIONS.labels(how).inc()
        if self._planned:
            PLANNED_VALUES.labels("made").inc(self._planned)
        if self._given_up:
            PLANNED_VALUES.labels("given_up").inc(self._given_up)
        return super().build_response(data)

    def _may_plan(self) -> bool:
        """Whether nothing is to happen beside the making of the answer."""
        return (
            self.abort_signal is None
            and (self.middleware_manager is None or not self.middleware_manager.middlewares)
            and self.is_awaitable in _EITHER
        )


async def _joined(made: dict[str, Any], others: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """The object, when its other fields are there: they have their places already."""
    made.update(await others)
    return made


def planned_execution(plans: Plans) -> type[PlannedExecutor]:
    """The executor for a schema, with plans of its own."""
    return type("PlannedExecutor", (PlannedExecutor,), {"plans": plans})
