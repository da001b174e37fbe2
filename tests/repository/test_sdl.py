"""schema/schema.graphql is the schema that is served, and every word of it is described."""

from __future__ import annotations

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
)

from tests.repository.tree import ROOT

SNAPSHOT = ROOT / "schema" / "schema.graphql"


def undescribed(schema: GraphQLSchema) -> list[str]:
    """The coordinate of each type, field, argument, value and directive without a description."""
    described: dict[str, str | None] = {}
    for type_ in schema.type_map.values():
        if is_introspection_type(type_) or is_specified_scalar_type(type_):
            continue
        described[type_.name] = type_.description
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in type_.fields.items():
                described[f"{type_.name}.{name}"] = field.description
                for argument, definition in field.args.items():
                    described[f"{type_.name}.{name}({argument}:)"] = definition.description
        if isinstance(type_, GraphQLInputObjectType):
            for name, input_field in type_.fields.items():
                described[f"{type_.name}.{name}"] = input_field.description
        if isinstance(type_, GraphQLEnumType):
            for name, value in type_.values.items():
                described[f"{type_.name}.{name}"] = value.description
    for directive in schema.directives:
        if not is_specified_directive(directive):
            described[f"@{directive.name}"] = directive.description
            for argument, definition in directive.args.items():
                described[f"@{directive.name}({argument}:)"] = definition.description
    return sorted(name for name, text in described.items() if not (text or "").strip())


def test_the_snapshot_is_current() -> None:
    """`python -m api.cli print-schema` writes it anew; then read the diff."""
    from schema.root import sdl

    assert SNAPSHOT.read_text() == sdl()


def test_everything_in_the_schema_is_described() -> None:
    assert undescribed(build_schema(SNAPSHOT.read_text())) == []


def test_what_is_not_described_is_found() -> None:
    schema = build_schema('''
        directive @limit(most: Int) on FIELD_DEFINITION
        """The root."""
        type Query { bare(argument: Kind): Node  "Described." told("Described." by: Ref): Int }
        interface Node { id: ID }
        enum Kind { ONE  "Described." TWO }
        input Ref { phone: String }
        scalar Points
        """ """
        union Thing = Query
    ''')
    assert undescribed(schema) == sorted([
        "@limit", "@limit(most:)", "Query.bare", "Query.bare(argument:)", "Node", "Node.id",
        "Kind", "Kind.ONE", "Ref", "Ref.phone", "Points", "Thing",
    ])  # fmt: skip
