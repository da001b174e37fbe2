"""Writing the functions of shapes, as Python.

For `{ level { code name } since }` it is about this, `v` being new names:

    def object_1(source, info):
        if type(source) not in PLAIN:
            look(source)
        return {
            'code': v1 if type(v1 := source.code) is str else leaf_1(v1),
            'name': v2 if type(v2 := method_1(source, info=info)) is str else leaf_2(v2),
        }

Nothing that a client writes gets into it but the keys of the answer, which are names. The usual
class of a built-in scalar, or of an enum, is told in place; everything else is for a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import count
from typing import Any, Final, TypeAlias

from graphql.type.scalars import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    serialize_boolean,
    serialize_id,
    serialize_int,
    serialize_string,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from api.execution.shapes import Attribute, Items, Leaf, Object, Part, Shape, TypeName
from api.execution.values import PLAIN, leaf_completion, listed, look

Make: TypeAlias = Callable[[Any, Any], Any]
"""Makes of a value, and of what is known of the request, what stands in the answer."""

UNCHANGED: Final[dict[Any, str]] = {
    serialize_string: "type({0}) is str",
    serialize_id: "type({0}) is str",
    serialize_boolean: "type({0}) is bool",
    serialize_int: f"type({{0}}) is int and {GRAPHQL_MIN_INT} <= {{1}} <= {GRAPHQL_MAX_INT}",
}
"""When a built-in scalar leaves a value as it is: {0} is the value where it is first read, {1} its
name from then on."""


def value_function(shape: Shape, *, name: str) -> Make:
    """The function that makes a value of this shape. `name` is for tracebacks."""
    writer = _Writer()
    made = writer.completed(shape, "source", "source")
    return writer.function(f"def entry(source, info):\n    return {made}\n", name=name)


def object_function(keys: Sequence[str], parts: Sequence[Part], *, name: str) -> Make:
    """The function that makes an object with these keys: parts are filled in, the rest is None."""
    writer = _Writer()
    made = writer.display(dict.fromkeys(keys) | {part.key: part for part in parts})
    return writer.function(f"def entry(source, info):\n    return {made}\n", name=name)


class _Writer:
    """Writes the functions of one shape. What they refer to stands in `names`."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"PLAIN": PLAIN, "look": look, "listed": listed}
        self._text: list[str] = []
        self._numbers = count(1)

    def function(self, text: str, *, name: str) -> Make:
        """The function `entry` of the text, with all that was written before it."""
        code = compile("".join([*self._text, text]), f"<plan of {name}>", "exec")
        exec(code, self.names)  # noqa: S102 - the text is ours, see above
        made: Make = self.names["entry"]
        return made

    def completed(self, shape: Shape, first: str, again: str) -> str:
        """The expression of a completed value: `first` reads it, `again` is its name after that."""
        match shape:
            case Leaf():
                return self._leaf(shape, first, again)
            case Object(parts=parts):
                made = self._object(parts)
                if not shape.nullable:
                    return f"{made}({first}, info)"
                return f"None if ({first}) is None else {made}({again}, info)"
            case Items(of=of):
                item = self._new("item")
                each = self.completed(of, item, item)
                if not shape.nullable:
                    # A comprehension may not name a value in what it goes through.
                    return f"{self._list_of(item, each)}({first}, info)"
                return f"None if ({first}) is None else [{each} for {item} in listed({again})]"

    def display(self, parts: dict[str, Part | None]) -> str:
        """The dict display of an object that is called `source`."""
        return "{" + ", ".join(f"{key!r}: {self._part(one)}" for key, one in parts.items()) + "}"

    def _part(self, part: Part | None) -> str:
        if part is None:
            return "None"
        match part.reading:
            case TypeName(name=name):
                return repr(name)
            case Attribute(name=name):
                read = f"source.{name}"
            case method:
                told = "" if method.info is None else f", {method.info}=info"
                read = f"{self._named('method', method.function)}(source{told})"
        assert part.shape is not None, "only names of types have none"
        value = self._new("v")
        return self.completed(part.shape, f"{value} := {read}", value)

    def _leaf(self, leaf: Leaf, first: str, again: str) -> str:
        complete = self._named("leaf", leaf_completion(leaf.type, nullable=leaf.nullable))
        if isinstance(leaf.type, CustomGraphQLEnumType):
            kind = self._named("kind", leaf.type.wrapped_cls)
            texts = self._named("texts", _texts_of(leaf.type))
            return f"{texts}[{again}] if type({first}) is {kind} else {complete}({again})"
        unchanged = UNCHANGED.get(leaf.type.coerce_output_value)
        if unchanged is None:
            return f"{complete}({first})"
        or_null = f" or {again} is None" if leaf.nullable else ""
        test = unchanged.format(first, again)
        return f"{again} if {test}{or_null} else {complete}({again})"

    def _object(self, parts: Sequence[Part]) -> str:
        made = self.display({part.key: part for part in parts})
        name = self._new("object")
        check = "    if type(source) not in PLAIN:\n        look(source)\n"
        self._text.append(f"def {name}(source, info):\n{check}    return {made}\n")
        return name

    def _list_of(self, item: str, each: str) -> str:
        name = self._new("list")
        body = f"    return [{each} for {item} in listed(source)]\n"
        self._text.append(f"def {name}(source, info):\n{body}")
        return name

    def _named(self, stem: str, value: Any) -> str:
        name = self._new(stem)
        self.names[name] = value
        return name

    def _new(self, stem: str) -> str:
        return f"{stem}_{next(self._numbers)}"


def _texts_of(enum: CustomGraphQLEnumType) -> dict[Enum, str]:
    """What the members of an enum are called."""
    members: Iterable[Enum] = enum.wrapped_cls
    return {member: enum.coerce_output_value(member) for member in members}
