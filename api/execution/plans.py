"""Plans: what is kept of an operation from one execution to the next, and for how long.

A plan belongs to an operation and to the values of the variables that stand in its directives,
which decide what is collected. It lives no longer than its document, which `schema.documents`
keeps or lets go; beyond that, plans are bounded by their fields, and those not used for longest
make room. A document of the manifest is planned when it is first run, any other one when it is run
for the third time.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

import structlog
from graphql import (
    GraphQLDeferDirective,
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLStreamDirective,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    VariableNode,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
)
from graphql.language import DirectiveNode

from api.execution.shapes import Collect, Survey, TooLarge
from api.execution.writing import Make, object_function, value_function

log = structlog.get_logger("jifen.execution")

USES_BEFORE: Final = 2
"""How often an operation is executed without a plan."""

PLAN_FIELDS_MAX: Final = 1_000
"""How many fields one plan may have; what is beyond is left to graphql-core."""

CHOICES_MAX: Final = 64
"""Of how many choices of variables the uses are counted, for one operation."""

INCREMENTAL: Final = frozenset({GraphQLDeferDirective.name, GraphQLStreamDirective.name})

Fragments: TypeAlias = Mapping[str, FragmentDetails]

Choice: TypeAlias = tuple[Any, ...]
"""The values of the variables that stand in an operation's directives."""


Planned = TypeVar("Planned")


@dataclass(frozen=True, slots=True)
class PlannedValue:
    """How the values of a field are made."""

    type: GraphQLOutputType
    make: Make


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """How an object is made: `fill` makes all but the fields `others`, for which it has None."""

    fill: Make
    others: GroupedFieldSet


@dataclass(slots=True)
class OperationPlan:
    """The plan of an operation, made part by part as its parts are met.

    `root` and `sub_fields` are the collected fields, which all executions share, so that they are
    known by identity. Parts that are None are left to graphql-core.
    """

    schema: GraphQLSchema
    name: str
    grew: Callable[[OperationPlan, int], None]
    root: GroupedFieldSet
    sub_fields: dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, CollectedFields]] = (
        field(default_factory=dict)
    )
    values: dict[int, PlannedValue | None] = field(default_factory=dict)
    objects: dict[int, PlannedObject | None] = field(default_factory=dict)
    fields: int = 0

    def plan_value(
        self, type_: GraphQLOutputType, details: FieldDetailsList, collect: Collect
    ) -> PlannedValue | None:
        """Find out how the values of a field are made."""

        def planned(survey: Survey) -> PlannedValue | None:
            shape = survey.value(type_, details)
            if shape is None:
                return None
            return PlannedValue(type_, value_function(shape, name=self.name))

        self.values[id(details)] = found = self._surveyed(planned, collect)
        return found

    def plan_object(
        self, parent: GraphQLObjectType, fields: GroupedFieldSet, collect: Collect
    ) -> PlannedObject | None:
        """Find out how the objects with these fields are made."""

        def planned(survey: Survey) -> PlannedObject | None:
            parted = survey.parts(parent, fields)
            if parted is None or not parted[0]:
                return None
            parts, others = parted
            return PlannedObject(object_function([*fields], parts, name=self.name), others)

        self.objects[id(fields)] = found = self._surveyed(planned, collect)
        return found

    def grow(self, fields: int) -> None:
        """Tell that there are so many more fields."""
        self.fields += fields
        self.grew(self, fields)

    def _surveyed(
        self, planned: Callable[[Survey], Planned | None], collect: Collect
    ) -> Planned | None:
        if self.fields >= PLAN_FIELDS_MAX:
            return None
        survey = Survey(self.schema, collect, fields_max=PLAN_FIELDS_MAX - self.fields)
        found = None
        try:
            found = planned(survey)
        except (TooLarge, GraphQLError):
            pass  # A directive whose variable is null is an error, which graphql-core tells.
        except Exception:
            # Without a plan the answer is the same, so nobody else would notice.
            log.exception("plan_failed", operation=self.name)
        self.grow(survey.fields)
        if found is not None:
            # Met only where the function around them gave up, and then it would do so again.
            for one in survey.within:
                self.values[one] = self.objects[one] = None
        return found


@dataclass(frozen=True, slots=True)
class _Met:
    """An operation that was executed: `names` are the variables in its directives, None where it
    cannot be planned; `uses` is how often it was executed with each choice of their values.
    """

    operation: weakref.ref[OperationDefinitionNode]
    names: tuple[str, ...] | None
    is_known: bool
    uses: dict[Choice, int] = field(default_factory=dict)
    plans: dict[Choice, OperationPlan] = field(default_factory=dict)


class Plans:
    """The plans of one process. `is_known` tells operations that are planned at once and for good.

    `fields_max` bounds the fields of all others together.
    """

    def __init__(
        self,
        *,
        fields_max: int,
        is_known: Callable[[OperationDefinitionNode], bool] = lambda _: False,
        uses_before: int = USES_BEFORE,
    ) -> None:
        self._fields_max, self._is_known, self._uses_before = fields_max, is_known, uses_before
        self._met: dict[int, _Met] = {}
        self._recent: OrderedDict[int, tuple[_Met, Choice, OperationPlan]] = OrderedDict()
        self.fields = 0
        """How many fields the plans have that may be let go."""

    def __len__(self) -> int:
        return sum(len(met.plans) for met in self._met.values())

    def plan(self, executor: Executor[Any], root: GroupedFieldSet) -> OperationPlan | None:
        """The plan for what is executed here; None where there is none, or not yet."""
        operation = executor.operation
        met = self._met.get(id(operation)) or self._meet(operation, executor.fragments)
        if met.names is None:
            return None
        coerced = executor.variable_values.coerced
        choice = tuple(coerced.get(name, Undefined) for name in met.names)
        plan = met.plans.get(choice)
        if plan is None:
            if met.is_known or self._is_due(met, choice):
                return self._make(met, choice, executor=executor, root=root)
        elif not met.is_known:
            self._recent.move_to_end(id(plan))
        return plan

    def _is_due(self, met: _Met, choice: Choice) -> bool:
        """Count one more execution; whether there were enough of them before."""
        if choice not in met.uses and len(met.uses) >= CHOICES_MAX:
            met.uses.clear()
        met.uses[choice] = uses = met.uses.get(choice, 0) + 1
        return uses > self._uses_before

    def _make(
        self, met: _Met, choice: Choice, *, executor: Executor[Any], root: GroupedFieldSet
    ) -> OperationPlan:
        name = executor.operation.name
        plan = met.plans[choice] = OperationPlan(
            schema=executor.schema,
            name=name.value if name else "an operation without a name",
            grew=self._grew,
            root=root,
        )
        if not met.is_known:
            self._recent[id(plan)] = (met, choice, plan)
        plan.grow(len(root))
        return plan

    def _meet(self, operation: OperationDefinitionNode, fragments: Fragments) -> _Met:
        key = id(operation)

        def forget(_: object) -> None:
            """Let go the plans of an operation that is no more."""
            for plan in self._met.pop(key).plans.values():
                if self._recent.pop(id(plan), None) is not None:
                    self.fields -= plan.fields

        met = self._met[key] = _Met(
            operation=weakref.ref(operation, forget),
            names=_directive_variables(operation, fragments),
            is_known=self._is_known(operation),
        )
        return met

    def _grew(self, plan: OperationPlan, fields: int) -> None:
        """Make room, where the plan is one of those that may be let go."""
        if id(plan) not in self._recent:
            return
        self.fields += fields
        while self.fields > self._fields_max and len(self._recent) > 1:
            _, (met, choice, oldest) = self._recent.popitem(last=False)
            del met.plans[choice]
            self.fields -= oldest.fields


def _directive_variables(
    operation: OperationDefinitionNode, fragments: Fragments
) -> tuple[str, ...] | None:
    """The variables in the directives of the operation and of its document's fragments.

    None where what is collected depends on more than these: fragments with variables of their own,
    and parts that are delivered later.
    """
    names: dict[str, None] = {}
    for directive in _directives(operation, fragments):
        if directive.name.value in INCREMENTAL:
            return None
        for argument in directive.arguments or ():
            if isinstance(argument.value, VariableNode):
                names[argument.value.name.value] = None
    if any(one.variable_signatures for one in fragments.values()):
        return None
    return tuple(names)


def _directives(
    operation: OperationDefinitionNode, fragments: Fragments
) -> Iterator[DirectiveNode]:
    open_: list[SelectionSetNode] = [
        operation.selection_set,
        *(one.definition.selection_set for one in fragments.values()),
    ]
    while open_:
        for selection in open_.pop().selections:
            yield from selection.directives or ()
            inner = getattr(selection, "selection_set", None)
            if inner is not None:
                open_.append(inner)
