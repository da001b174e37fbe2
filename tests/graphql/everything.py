"""A document that asks for everything of which an answer may have an ETag, from the schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
)

from schema.requirements import is_versioned

ARGUMENTS = {
    "Member.coupons": "(first: 4)",
    "Member.ledger": "(first: 4)",
    "PointsBalance.reasons": "(first: 4)",
    "Member.notifications": "(first: 2)",
    "Member.purchases": "(first: 2)",
    "Member.tickets": "(first: 2)",
    "Member.tierHistory": "(first: 2)",
    "Member.redemptions": "(first: 1)",
    "Member.recommendations": "(surface: LETTERS, first: 2)",
    "Query.node": "(id: $id)",
}
"""What is given where something must be, another such field has to be added here, and where the
whole would cost too much."""

BESIDES = {
    "Member.recommendations": " ".join(
        f"{surface.lower()}: recommendations(surface: {surface}, first: 4)"
        " { personalized items { shelf product { id } } }"
        for surface in ("HOME", "REWARDS")
    )
}
"""What is asked for once more, with other arguments: each is made of something of its own."""

APART = frozenset(
    {"purchases", "redemptions", "notifications", "notificationPreferences", "tickets"}
)
"""Fields of a member that are asked for in a document of their own: all together cost too much."""

SKIPPED = {"edges"}
"""The same as `nodes`."""


def covered_document(schema: GraphQLSchema, *roots: str) -> str:
    """A query of these roots with every covered field below them, whatever its depth.

    But for what is asked for `APART`, see `apart_document`.
    """
    variables = "($id: ID!)" if "node" in roots else ""
    query = schema.query_type
    assert query is not None
    selected = " ".join(_field(schema, query, name, seen=()) for name in roots)
    return f"query Everything{variables} {{ {selected} }}"


def apart_document(schema: GraphQLSchema) -> str:
    """A query of what of a member is asked for `APART`."""
    member = schema.type_map["Member"]
    assert isinstance(member, GraphQLObjectType)
    fields = dict(_fields(schema, member, seen=("Member",), leaving=frozenset()))
    return f"query Apart {{ me {{ {' '.join(fields[name] for name in sorted(APART))} }} }}"


def _field(
    schema: GraphQLSchema, parent: GraphQLObjectType, name: str, *, seen: tuple[str, ...]
) -> str:
    declared = parent.fields[name]
    coordinate = f"{parent.name}.{name}"
    given = ARGUMENTS.get(coordinate, "")
    if any(is_required_argument(one) for one in declared.args.values()):
        assert given, f"{coordinate} needs arguments: see ARGUMENTS"
    kind = get_named_type(declared.type)
    besides = BESIDES.get(coordinate, "")
    return f"{name}{given}{_selection(schema, kind, seen=seen)} {besides}"


def _differing(possible: Iterable[GraphQLObjectType]) -> frozenset[str]:
    """The names under which two of the types have fields of different types."""
    known: dict[str, str] = {}
    found = set[str]()
    for one in possible:
        for name, declared in one.fields.items():
            if known.setdefault(name, str(declared.type)) != str(declared.type):
                found.add(name)
    return frozenset(found)


def _selection(
    schema: GraphQLSchema,
    kind: GraphQLNamedType,
    *,
    seen: tuple[str, ...],
    differing: frozenset[str] = frozenset(),
) -> str:
    if isinstance(kind, GraphQLInterfaceType):
        possible = schema.get_possible_types(kind)
        differing = _differing(possible)
        parts = [
            f"... on {one.name} {_selection(schema, one, seen=seen, differing=differing)}"
            for one in possible
        ]
        return f" {{ __typename {' '.join(parts)} }}"
    if not isinstance(kind, GraphQLObjectType):
        return ""
    below = (*seen, kind.name)
    fields = (
        f"{kind.name}_{name}: {text}" if name in differing else text
        for name, text in _fields(schema, kind, seen=below)
    )
    return f" {{ {' '.join(fields)} }}"


def _fields(
    schema: GraphQLSchema,
    kind: GraphQLObjectType,
    *,
    seen: tuple[str, ...],
    leaving: frozenset[str] = APART,
) -> Iterator[tuple[str, str]]:
    """Each covered field by its name, with what is written for it."""
    left = SKIPPED | (leaving if kind.name == "Member" else frozenset())
    for name, declared in kind.fields.items():
        below: Any = get_named_type(declared.type)
        if name not in left and is_versioned(declared) and below.name not in seen:
            yield name, _field(schema, kind, name, seen=seen)
