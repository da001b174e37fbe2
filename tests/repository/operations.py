"""The input types that clients plan to send, against those of the schema."""

from __future__ import annotations

from graphql import (
    GraphQLInputObjectType,
    GraphQLSchema,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    is_required_input_field,
    parse,
    print_ast,
)

from schema.planned_operations import FOLDER, INPUTS, Operation, read_operations

__all__ = ["FOLDER", "INPUTS", "Operation", "input_differences", "read_operations"]


def input_differences(planned: str, schema: GraphQLSchema) -> list[str]:
    """Where input types of the schema keep less than the planned SDL promises.

    The schema must have been built from SDL. An input type that it lacks is no difference:
    it comes with its operation. A field may be added when it is optional.
    """
    differences: list[str] = []
    for definition in parse(planned).definitions:
        assert isinstance(definition, InputObjectTypeDefinitionNode), definition.kind
        built = schema.get_type(definition.name.value)
        if built is None:
            continue
        if not isinstance(built, GraphQLInputObjectType):
            differences.append(f"{built.name} is not an input type")
            continue
        differences.extend(_compare(definition, built))
    return differences


def _compare(planned: InputObjectTypeDefinitionNode, built: GraphQLInputObjectType) -> list[str]:
    differences: list[str] = []
    one_of = any(directive.name.value == "oneOf" for directive in planned.directives or ())
    if one_of != built.is_one_of:
        differences.append(f"{built.name}: @oneOf is {built.is_one_of}, planned {one_of}")
    for field in planned.fields or ():
        name, expected = field.name.value, _signature(field)
        actual = _signature(built.fields[name].ast_node if name in built.fields else None)
        if actual != expected:
            differences.append(f"{built.name}.{name} is {actual}, planned {expected}")
    planned_names = {field.name.value for field in planned.fields or ()}
    for name, added in built.fields.items():
        if name not in planned_names and is_required_input_field(added):
            differences.append(f"{built.name}.{name} was added and is required")
    return differences


def _signature(field: InputValueDefinitionNode | None) -> str:
    if field is None:
        return "missing"
    default = f" = {print_ast(field.default_value)}" if field.default_value else ""
    return f"{print_ast(field.type)}{default}"
