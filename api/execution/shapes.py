"""Shapes: which values can be made without graphql-core, and how each is read.

A value is pure when reading it awaits nothing and changes nothing: attributes, and methods that
`schema.fields.computed` declares and that are no coroutines; of leaves, of objects of one known
type, and of lists of these. Interfaces and unions are not: their types are told by the value.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import (
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    TypeNameMetaFieldDef,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from schema.fields import PURE

Collect: TypeAlias = Callable[[GraphQLObjectType, FieldDetailsList], CollectedFields]


@dataclass(frozen=True, slots=True)
class Attribute:
    """Read as an attribute of the value."""

    name: str


@dataclass(frozen=True, slots=True)
class Method:
    """Read by calling `function` with the value; `info` names its argument for the request."""

    function: Callable[..., Any]
    info: str | None


@dataclass(frozen=True, slots=True)
class TypeName:
    """Not read at all: `__typename`."""

    name: str


Reading: TypeAlias = Attribute | Method | TypeName


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar or an enum."""

    type: GraphQLLeafType
    nullable: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A field of an object, by its key in the answer."""

    key: str
    reading: Reading
    shape: Shape | None
    """None for the name of a type, which needs no completion."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a known type. `parts` stand in the order of the answer."""

    parts: tuple[Part, ...]
    nullable: bool


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    of: Shape
    nullable: bool


Shape: TypeAlias = Leaf | Object | Items


class TooLarge(Exception):
    """Raised for a value of so many fields that no plan is made of it."""


class Survey:
    """Finds the shapes of one operation. `fields` counts what was looked at, up to `fields_max`."""

    def __init__(self, schema: GraphQLSchema, collect: Collect, *, fields_max: int) -> None:
        self._schema, self._collect, self._fields_max = schema, collect, fields_max
        self.fields = 0
        self.within: list[int] = []
        """The collected fields inside the shapes that were found, by identity."""

    def value(
        self, type_: GraphQLOutputType, details: FieldDetailsList, *, nullable: bool = True
    ) -> Shape | None:
        """The shape of a value of this type; None where it is not pure. Raises TooLarge."""
        if is_non_null_type(type_):
            return self.value(type_.of_type, details, nullable=False)
        if is_list_type(type_):
            of = self.value(type_.of_type, details)
            return None if of is None else Items(of, nullable)
        if is_leaf_type(type_):
            return Leaf(type_, nullable)
        if not is_object_type(type_) or type_.is_type_of is not None:
            return None
        fields, deferred, _ = self._collect(type_, details)
        parts = None if deferred else self._parts(type_, fields)
        return None if parts is None else Object(parts, nullable)

    def parts(
        self, parent: GraphQLObjectType, fields: GroupedFieldSet
    ) -> tuple[list[Part], GroupedFieldSet] | None:
        """The pure fields of an object, and the others; None where order forbids to part them.

        A resolver that promises nothing and runs at once could change what is read after it.
        """
        pure: list[Part] = []
        others: GroupedFieldSet = {}
        for key, details in fields.items():
            part = self.part(parent, key, details)
            if part is not None:
                pure.append(part)
                continue
            field = self._schema.get_field(parent, details[0].node.name.value)
            if field is None or not _is_harmless(field):
                return None
            others[key] = details
        return pure, others

    def part(self, parent: GraphQLObjectType, key: str, details: FieldDetailsList) -> Part | None:
        """How a field is read and what its value is; None where it is not pure."""
        self.fields += 1
        if self.fields > self._fields_max:
            raise TooLarge
        field = self._schema.get_field(parent, details[0].node.name.value)
        if field is TypeNameMetaFieldDef:
            return Part(key, TypeName(parent.name), None)
        reading = None if field is None else _reading(field)
        if field is None or reading is None or details[0].node.arguments:
            return None
        before = len(self.within)
        shape = self.value(field.type, details)
        if shape is None:
            del self.within[before:]
            return None
        self.within.append(id(details))
        return Part(key, reading, shape)

    def _parts(self, parent: GraphQLObjectType, fields: GroupedFieldSet) -> tuple[Part, ...] | None:
        """The fields of an object if all are pure."""
        parts: list[Part] = []
        for key, details in fields.items():
            part = self.part(parent, key, details)
            if part is None:
                return None
            parts.append(part)
        self.within.append(id(fields))
        return tuple(parts)


def _declared(field: GraphQLField) -> StrawberryField | None:
    """What Strawberry made the field from; None for a field of introspection."""
    declared = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return declared if isinstance(declared, StrawberryField) else None


def _reading(field: GraphQLField) -> Reading | None:
    """How a field without arguments is read, if reading it is pure."""
    declared = _declared(field)
    if declared is None or field.args or declared.extensions or declared.is_async:
        return None
    resolver = declared.base_resolver
    if resolver is None:
        # The last schema that was made decides by what attributes are read.
        is_plain = declared.default_resolver is getattr and _is_name(declared.python_name)
        return Attribute(declared.python_name) if is_plain else None
    if PURE not in declared.metadata or not callable(resolver.wrapped_func):
        return None
    known = [resolver.self_parameter, resolver.info_parameter]
    asked = [one.name for one in known if one is not None]
    if resolver.self_parameter is None or [*resolver.signature.parameters] != asked:
        return None
    info = resolver.info_parameter
    return Method(resolver.wrapped_func, None if info is None else info.name)


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text) and not text.startswith("__")


def _is_harmless(field: GraphQLField) -> bool:
    """Whether beginning to execute the field changes nothing that is read beside it."""
    declared = _declared(field)
    if declared is None:
        return False
    return declared.is_async or declared.base_resolver is None or PURE in declared.metadata
