"""What a question about the schema costs: counted from the schema itself, which does not change.

Its objects are cheaper than those of the programme, and the questions of tools are large, so
`INTROSPECTED_PER_UNIT` of them cost one unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from schema.cost import INTROSPECTED_PER_UNIT, object_weight
from schema.cost_amounts import ALWAYS
from schema.cost_collecting import FieldCollector, Fields


@dataclass(slots=True)
class IntrospectionCosts:
    """Counts answers about the schema. What is deprecated or may be skipped counts too."""

    collector: FieldCollector
    _fields: dict[tuple[int, ...], Fields] = field(default_factory=dict)
    _weighed: dict[tuple[object, ...], int] = field(default_factory=dict)

    def cost(self, definition: GraphQLField, nodes: Sequence[FieldNode]) -> int:
        """What the field `__schema` costs, or `__type` for the type of which it costs most."""
        schema = self.collector.schema
        gives = get_named_type(definition.type)
        types = schema.type_map.values()
        asked: Iterable[object] = (schema,) if gives.name == "__Schema" else types
        weighed = max(self._weigh(one, gives, nodes) for one in asked)
        return -(-weighed // INTROSPECTED_PER_UNIT)

    def _weigh(self, value: object, gives: GraphQLNamedType, nodes: Sequence[FieldNode]) -> int:
        """The objects in what is answered of `value`, the larger ones as heavy as they are."""
        named = tuple(map(id, nodes))
        # The engine gives some things as pairs of a name and a value, made anew each time.
        known = (*(map(id, value[1:]) if isinstance(value, tuple) else (id(value),)), *named)
        if known not in self._weighed:
            self.collector.count()
            if named not in self._fields:
                sources = [(node.selection_set, ALWAYS) for node in nodes if node.selection_set]
                self._fields[named] = self.collector.fields(gives, sources)
            self._weighed[known] = self._sum(value, gives, self._fields[named])
        return self._weighed[known]

    def _sum(self, value: object, gives: GraphQLNamedType, fields: Fields) -> int:
        assert isinstance(gives, GraphQLObjectType), "introspection has no abstract types"
        total = object_weight(key for key, _ in fields)
        for found in fields.values():
            nodes = [node for node, _ in found]
            definition = gives.fields.get(nodes[0].name.value)
            if definition is not None and is_composite_type(get_named_type(definition.type)):
                inner = get_named_type(definition.type)
                total += sum(
                    self._weigh(one, inner, nodes) for one in self._given(value, definition)
                )
        return total

    def _given(self, value: object, definition: GraphQLField) -> Iterable[object]:
        assert definition.resolve is not None, "introspection resolves by functions"
        info: Any = SimpleNamespace(schema=self.collector.schema)
        given = definition.resolve(value, info, **dict.fromkeys(definition.args, True))
        if given is None:
            return ()
        objects: Iterable[object] = given if _is_list(definition) else (given,)
        return objects


def _is_list(definition: GraphQLField) -> bool:
    return is_list_type(get_nullable_type(definition.type))
