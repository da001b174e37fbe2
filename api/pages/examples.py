"""Variables to try an operation with: made from the schema, so that every operation has some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    NonNullTypeNode,
    is_required_input_field,
    type_from_ast,
)

from schema.planned_operations import Operation

_DEPTH_MAX: Final = 8

_BY_NAME: Final[Mapping[str, Any]] = {
    "code": "the code of wx.login",
    "refreshToken": "the refresh token of the session",
    "idempotencyKey": "one-key-for-each-intent",
    "batchId": "batch-1",
    "externalId": "order-1",
    "lineId": "1",
    "productCode": "tea-01",
    "themes": ["tea"],
    "nickname": "小明",
    "placedAt": "2026-03-01T12:00:00+08:00",
    "quantity": 1,
}
_BY_SCALAR: Final[Mapping[str, Any]] = {
    "Int": 1,
    "Float": 1.0,
    "Boolean": True,
    "Points": 100,
    "Fen": 8_800,
    "Date": "2026-03-01",
    "DateTime": "2026-03-01T12:00:00+08:00",
    "PhoneNumber": "+8613800138000",
    "URL": "https://img.jifen.example/picture.png",
}
_WORTH_SHOWING: Final = frozenset({"nickname"})
"""Optional fields without which an example would say nothing."""


def example_variables(
    operation: Operation, schema: GraphQLSchema, *, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Values for the variables that the operation needs; `known` are those of the running demo."""
    return {
        one.variable.name.value: _value(
            one.variable.name.value, type_from_ast(schema, one.type), known={**_BY_NAME, **known}
        )
        for one in operation.definition.variable_definitions or ()
        if one.default_value is None and isinstance(one.type, NonNullTypeNode)
    }


def _value(
    name: str, kind: GraphQLInputType | None, *, known: Mapping[str, Any], depth: int = 0
) -> Any:
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    value: Any = None
    if name in known:
        value = known[name]
    elif isinstance(kind, GraphQLList):
        value = [_value(name, kind.of_type, known=known, depth=depth)]
    elif isinstance(kind, GraphQLEnumType):
        value = next(iter(kind.values))
    elif isinstance(kind, GraphQLScalarType):
        value = _BY_SCALAR.get(kind.name, "…")
    elif isinstance(kind, GraphQLInputObjectType) and depth < _DEPTH_MAX:
        value = _object(kind, known=known, depth=depth + 1)
    return value


def _object(
    kind: GraphQLInputObjectType, *, known: Mapping[str, Any], depth: int
) -> dict[str, Any]:
    """The fields that must be given; where none must, as of a @oneOf type, the first."""
    shown = {
        name: field
        for name, field in kind.fields.items()
        if is_required_input_field(field) or name in _WORTH_SHOWING
    } or dict(list(kind.fields.items())[:1])
    return {
        name: _value(name, field.type, known=known, depth=depth) for name, field in shown.items()
    }
