"""The cost of a document's operations, found once per document.

Fields are merged as the engine merges them, and selections that come to the same are made once, so
that fragments which double at each step cost no more than their text. The number is an upper bound:
where an object may be of several types, all that is asked of any of them is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLNamedType,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    is_abstract_type,
    is_introspection_type,
    value_from_ast_untyped,
)

from schema.cost import object_weight
from schema.cost_amounts import ALWAYS, Amount, Conditions, argument_amount
from schema.cost_collecting import FieldCollector, Fields, TooInvolved
from schema.cost_plans import CostPlan, Position, Selection, selection_of
from schema.faults import CodedError, FaultCode
from schema.field_costs import ITEMS_ASSUMED, FieldCost, field_cost
from schema.introspection_costs import IntrospectionCosts

Lengths: TypeAlias = tuple[tuple[tuple[str, ...], Amount], ...]
"""How long lists below an object are, by their paths."""

Found: TypeAlias = Sequence[tuple[FieldNode, Conditions]]


def operation_costs(
    schema: GraphQLSchema,
    document: DocumentNode,
    *,
    cost_max: int | None = None,
) -> dict[str | None, CostPlan]:
    """The plan of each operation of a valid document, by name (None: the anonymous one).

    Raises CodedError when one costs more than `cost_max` whatever its variables, and for a
    document whose fields cannot be counted within bounded work.
    """
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    collector = FieldCollector(schema, fragments)
    plans: dict[str | None, CostPlan] = {}
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            try:
                plan = _Planner(collector).plan(operation)
            except TooInvolved:
                message = "The operation is too involved for its cost to be counted."
                raise CodedError(
                    FaultCode.COST_LIMIT, message, nodes=[operation], limit=cost_max
                ) from None
            if cost_max is not None and plan.least > cost_max:
                raise cost_exceeded(plan.least, cost_max=cost_max, nodes=[operation])
            plans[operation.name.value if operation.name else None] = plan
    return plans


def cost_exceeded(requested: int, *, cost_max: int, nodes: list[Node] | None = None) -> CodedError:
    """The error of an operation that may cost more than one request is allowed."""
    message = f"The operation may cost {requested}, more than {cost_max}."
    return CodedError(
        FaultCode.COST_LIMIT, message, nodes=nodes, limit=cost_max, requested=requested
    )


@dataclass(slots=True)
class _Planner:
    """Makes the plan of one operation, inner selections first."""

    collector: FieldCollector
    selections: list[Selection] = field(default_factory=list)
    made: dict[tuple[object, ...], int] = field(default_factory=dict)

    def plan(self, operation: OperationDefinitionNode) -> CostPlan:
        root = self.collector.schema.get_root_type(operation.operation)
        assert root is not None, "validated before"
        self._select(root, self.collector.fields(root, [(operation.selection_set, ALWAYS)]), ())
        defaults = {
            one.variable.name.value: value_from_ast_untyped(one.default_value)
            for one in operation.variable_definitions or ()
            if one.default_value is not None
        }
        return CostPlan(selections=tuple(self.selections), defaults=defaults)

    def _select(self, parent: GraphQLNamedType, fields: Fields, lengths: Lengths) -> int:
        """Where the selection of these fields stands in the plan."""
        nodes = tuple(
            (name, *((id(node), needed) for node, needed in found))
            for name, found in fields.items()
        )
        same = (parent.name, lengths, nodes)
        if same not in self.made:
            self.collector.count(len(fields))
            positions = [
                self._position(self.collector.schema.type_map[asked_of], key, found, lengths)
                for (key, asked_of), found in fields.items()
            ]
            made = selection_of(
                object_weight(key for key, _ in fields),
                positions,
                before=self.selections,
                of_one_type=not is_abstract_type(parent),
            )
            self.made[same] = len(self.selections)
            self.selections.append(made)
        return self.made[same]

    def _position(
        self, parent: GraphQLNamedType, key: str, found: Found, lengths: Lengths
    ) -> Position:
        node = found[0][0]
        name = node.name.value
        definition = self.collector.schema.get_field(parent, name)  # type: ignore[arg-type]  # composite
        assert definition is not None, "validated before"
        declared = field_cost(definition)
        common = reduce(frozenset.intersection, (needed for _, needed in found))
        alternatives = tuple(dict.fromkeys(needed for _, needed in found))
        always = ALWAYS in alternatives
        inner, own = None, declared.cost.own
        if declared.gives is not None and is_introspection_type(declared.gives):
            own += IntrospectionCosts(self.collector).cost(definition, [one for one, _ in found])
        elif declared.gives is not None:
            sources = [
                (one.selection_set, needed - common) for one, needed in found if one.selection_set
            ]
            fields = self.collector.fields(declared.gives, sources)
            inner = self._select(declared.gives, fields, _lengths_below(declared, node, lengths))
        cost = declared.cost
        return Position(
            key=key,
            alternatives=() if always else alternatives,
            own=own,
            each=cost.each,
            items=_items(declared, node) if cost.each else None,
            inner=inner,
            length=_length(declared, node, lengths),
        )


def _length(declared: FieldCost, node: FieldNode, lengths: Lengths) -> Amount | None:
    """How long the field's list is; None when it gives one object, or leaves."""
    if declared.gives is None or not declared.is_list:
        return None
    if declared.bounds_itself:
        return _items(declared, node)
    path = (node.name.value,)
    return next((amount for one, amount in lengths if one == path), Amount(known=ITEMS_ASSUMED))


def _lengths_below(declared: FieldCost, node: FieldNode, lengths: Lengths) -> Lengths:
    """What is known of the lists below the field: by itself, and by those above it."""
    own: list[tuple[tuple[str, ...], Amount]] = []
    items = _items(declared, node)
    if items is not None:
        own += [(tuple(path.split(".")), items) for path in declared.cost.of]
    name = node.name.value
    own += [(path[1:], amount) for path, amount in lengths if len(path) > 1 and path[0] == name]
    return tuple(own)


def _items(declared: FieldCost, node: FieldNode) -> Amount | None:
    items = declared.cost.items
    if items is None or isinstance(items, int):
        return None if items is None else Amount(known=items)
    return argument_amount(items, declared.definition, node)
