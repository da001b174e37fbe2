"""What a field costs: what it declares, with what follows from its type."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from schema.connections import FIRST_MAX
from schema.cost import COST, Cost

CONNECTION_LISTS: Final = ("edges", "nodes")
ITEMS_ASSUMED: Final = FIRST_MAX
"""How many items a list has whose length nobody declares. A test lets no such list be."""


@dataclass(frozen=True, slots=True)
class FieldCost:
    """A field's cost, and what it gives: objects of `gives`, or a leaf when that is None."""

    definition: GraphQLField
    cost: Cost
    gives: GraphQLNamedType | None
    is_list: bool

    @property
    def bounds_itself(self) -> bool:
        """Whether the field says how long its own list is."""
        return self.cost.items is not None and not self.cost.of


def field_cost(definition: GraphQLField) -> FieldCost:
    """The cost of a field of the schema."""
    named = get_named_type(definition.type)
    return FieldCost(
        definition=definition,
        cost=_cost(definition, named),
        gives=named if is_composite_type(named) else None,
        is_list=is_list_type(get_nullable_type(definition.type)),
    )


def _cost(definition: GraphQLField, named: GraphQLNamedType) -> Cost:
    declared = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    cost: Cost = getattr(declared, "metadata", {}).get(COST) or Cost()
    if cost.items is None and "first" in definition.args and is_connection(named):
        return replace(cost, items="first", of=CONNECTION_LISTS)
    return cost


def is_connection(named: GraphQLNamedType) -> bool:
    """Whether the type is a page of a list, whose lists are as long as `first` says."""
    return isinstance(named, GraphQLObjectType) and named.fields.keys() >= set(CONNECTION_LISTS)
