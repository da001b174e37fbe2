"""Walks a schema for what must not be in it: fields without a policy, parts without a description,
acts of staff that the audit log does not tell of.

All answer schema coordinates in alphabetical order, for tests to compare with an empty list.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from domain.access import CallerKind
from schema.audits import Audited
from schema.building import JifenSchema
from schema.policies import PUBLIC
from schema.requirements import field_policy


def fields_without_policy(schema: JifenSchema) -> list[str]:
    """The fields of object types and interfaces that nobody may read, as `Type.field`."""
    return sorted(
        f"{owner.name}.{name}"
        for owner in _own_types(schema)
        if isinstance(owner, GraphQLObjectType | GraphQLInterfaceType)
        for name, declared in owner.fields.items()
        if field_policy(declared) is None
    )


def staff_fields_unaudited(schema: JifenSchema, owner: str) -> list[str]:
    """The fields of a type that staff may ask for and that the audit log need not tell of."""
    of = schema._schema.type_map[owner]
    assert isinstance(of, GraphQLObjectType)
    return sorted(
        f"{owner}.{name}"
        for name, declared in of.fields.items()
        if CallerKind.STAFF in (field_policy(declared) or PUBLIC).kinds
        and not _is_audited(declared)
    )


def undescribed(schema: JifenSchema) -> list[str]:
    """Everything without a description: types, fields, arguments, values and directives."""
    found = [
        coordinate
        for owner in _own_types(schema)
        for coordinate, description in _described_parts(owner)
        if not description
    ]
    found += [
        f"@{directive.name}"
        for directive in schema._schema.directives
        if not is_specified_directive(directive) and not directive.description
    ]
    return sorted(found)


def _is_audited(declared: GraphQLField) -> bool:
    definition = declared.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return any(isinstance(one, Audited) for one in getattr(definition, "extensions", ()))


def _own_types(schema: JifenSchema) -> Iterator[GraphQLNamedType]:
    for named in schema._schema.type_map.values():
        if not is_introspection_type(named) and not is_specified_scalar_type(named):
            yield named


def _described_parts(owner: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    yield owner.name, owner.description
    if isinstance(owner, GraphQLObjectType | GraphQLInterfaceType):
        for name, declared in owner.fields.items():
            yield f"{owner.name}.{name}", declared.description
            for argument_name, argument in declared.args.items():
                yield f"{owner.name}.{name}({argument_name}:)", argument.description
    elif isinstance(owner, GraphQLInputObjectType):
        for name, taken in owner.fields.items():
            yield f"{owner.name}.{name}", taken.description
    elif isinstance(owner, GraphQLEnumType):
        for name, value in owner.values.items():
            yield f"{owner.name}.{name}", value.description
