"""Collecting the fields of a selection as the engine does, with the conditions each stands under.

What stands several times under one name, also in fragments, is one field with one selection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    SelectionSetNode,
    is_object_type,
)

from schema.cost_amounts import ALWAYS, Conditions, both, conditions_of

COUNTED_MAX: Final = 10_000
"""How many fields are looked at before a document counts as too involved: some 20 ms."""

Sources: TypeAlias = Iterable[tuple[SelectionSetNode, Conditions]]
"""Selection sets that are merged, each with what it depends on."""

Fields: TypeAlias = dict[tuple[str, str], list[tuple[FieldNode, Conditions]]]
"""Nodes of each field, by its name in the answer and the type that it is asked of."""


class TooInvolved(Exception):
    """Raised for a document whose fields cannot be counted within bounded work."""


@dataclass(slots=True)
class FieldCollector:
    """Collects the fields of one valid document. Raises TooInvolved when there is no end of it."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    counted: int = 0

    def count(self, number: int = 1) -> None:
        """Note that so many fields were looked at. Raises TooInvolved."""
        self.counted += number
        if self.counted > COUNTED_MAX:
            raise TooInvolved

    def fields(self, parent: GraphQLNamedType, sources: Sources) -> Fields:
        """The fields that are asked of an object of type `parent`."""
        found: Fields = {}
        spread: set[tuple[str, Conditions]] = set()
        pending = [(parent, *source) for source in sources]
        for asked_of, selection_set, needed in pending:
            self.count(len(selection_set.selections))
            for node in selection_set.selections:
                own = conditions_of(node.directives)
                conditions = None if own is None else both(needed, own)
                if conditions is None:
                    continue
                if isinstance(node, FieldNode):
                    name = (node.alias or node.name).value
                    found.setdefault((name, asked_of.name), []).append((node, conditions))
                elif isinstance(node, InlineFragmentNode):
                    condition = node.type_condition
                    narrowed = self._narrowed(asked_of, condition)
                    pending.append((narrowed, node.selection_set, conditions))
                elif isinstance(node, FragmentSpreadNode):
                    name = node.name.value
                    if spread.isdisjoint({(name, conditions), (name, ALWAYS)}):
                        spread.add((name, conditions))
                        fragment = self.fragments[name]
                        narrowed = self._narrowed(asked_of, fragment.type_condition)
                        pending.append((narrowed, fragment.selection_set, conditions))
        return found

    def _narrowed(
        self, parent: GraphQLNamedType, condition: NamedTypeNode | None
    ) -> GraphQLNamedType:
        """The type of the objects that a fragment takes from those of type `parent`."""
        if condition is None or is_object_type(parent):
            return parent
        return self.schema.type_map[condition.name.value]
