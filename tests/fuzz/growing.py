"""Queries that grow: trees of selections over the schema, changed a little at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

DEPTH_MAX: Final = 10
FIRST: Final = (100, 100, 100, 60, 30, 10, 1)


@dataclass(slots=True)
class Selected:
    """A field with its arguments as text and what is selected of it."""

    name: str
    alias: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    children: list[Selected] = field(default_factory=list)
    condition: str = ""
    """The type that an inline fragment around it names."""

    def text(self) -> str:
        """The field as GraphQL."""
        given = ", ".join(f"{name}: {value}" for name, value in self.arguments.items())
        parts = [f"{self.alias}: {self.name}" if self.alias else self.name]
        if given:
            parts.append(f"({given})")
        if self.children:
            parts.append(" { " + " ".join(child.text() for child in self.children) + " }")
        own = "".join(parts)
        return f"... on {self.condition} {{ {own} }}" if self.condition else own

    def walk(self) -> Iterator[Selected]:
        """It and everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def copy(self) -> Selected:
        """A tree of its own."""
        return replace(
            self, arguments=dict(self.arguments), children=[child.copy() for child in self.children]
        )


class Grower:
    """Makes and changes queries of a schema.

    `values` are given for arguments of these names; an enum needs none, or one of its own.
    """

    def __init__(self, schema: GraphQLSchema, values: dict[str, str]) -> None:
        self._schema = schema
        self._values = values
        self._aliases = 0

    def everything(self, type_name: str, name: str, *, depth: int) -> Selected:
        """A field with all that can be selected of it, so deep, each list as long as it may be."""
        owner = self._schema.type_map[type_name]
        assert isinstance(owner, GraphQLObjectType)
        return self._whole(owner.fields[name], name, depth)

    def changed(self, query: Selected, random: Random) -> Selected:
        """The query with one change."""
        query = query.copy()
        changes = (self._double, self._double, self._resize, self._prune, self._extend, self._wrap)
        random.choice(changes)(query, random)
        return query

    def _whole(self, definition: GraphQLField, name: str, depth: int) -> Selected:
        made = Selected(name, arguments=self._arguments(definition))
        if depth > 0:
            made.children = list(self._all_of(definition, depth))
        return made

    def _all_of(self, definition: GraphQLField, depth: int) -> Iterator[Selected]:
        given = get_named_type(definition.type)
        if not isinstance(given, GraphQLObjectType | GraphQLInterfaceType):
            yield from (Selected("__typename"),) if not is_leaf_type(given) else ()
            return
        yield Selected("__typename")
        for name, one in given.fields.items():
            if is_leaf_type(get_named_type(one.type)):
                yield Selected(name, arguments=self._arguments(one))
            elif depth > 1:
                yield self._whole(one, name, depth - 1)

    def _arguments(self, definition: GraphQLField) -> dict[str, str]:
        return {
            name: self._value(name, argument)
            for name, argument in definition.args.items()
            if name == "first" or is_required_argument(argument)
        }

    def _value(self, name: str, argument: GraphQLArgument) -> str:
        given, kind = self._values.get(name), get_named_type(argument.type)
        if isinstance(kind, GraphQLEnumType) and given not in kind.values:
            return str(next(iter(kind.values)))
        assert given is not None, f"say which value the search gives for {name}"
        return given

    def _alias(self) -> str:
        self._aliases += 1
        return f"a{self._aliases}"

    def _double(self, query: Selected, random: Random) -> None:
        """Select something once more, under another name."""
        parents = [one for one in query.walk() if one.children]
        parent = random.choice(parents)
        twin = random.choice(parent.children).copy()
        twin.alias = self._alias()
        parent.children.append(twin)

    def _resize(self, query: Selected, random: Random) -> None:
        sized = [one for one in query.walk() if "first" in one.arguments]
        if sized:
            random.choice(sized).arguments["first"] = str(random.choice(FIRST))

    def _prune(self, query: Selected, random: Random) -> None:
        parents = [one for one in query.walk() if len(one.children) > 1]
        if parents:
            parent = random.choice(parents)
            parent.children.pop(random.randrange(len(parent.children)))

    def _extend(self, query: Selected, random: Random) -> None:
        """Select a further field of something, with all that is below it."""
        places = list(self._places(query, "Query"))
        parent, owner = random.choice(places)
        name = random.choice(list(owner.fields))
        grown = self._whole(owner.fields[name], name, random.randint(1, 4))
        if is_leaf_type(get_named_type(owner.fields[name].type)) or grown.children:
            grown.alias = self._alias()
            parent.children.append(grown)

    def _wrap(self, query: Selected, random: Random) -> None:
        """Put something into an inline fragment of its own type."""
        parent, owner = random.choice(list(self._places(query, "Query")))
        random.choice(parent.children).condition = owner.name

    def _places(self, query: Selected, owner: str) -> Iterator[tuple[Selected, GraphQLObjectType]]:
        of = self._schema.type_map[owner]
        if not isinstance(of, GraphQLObjectType) or not query.children:
            return
        yield query, of
        for child in query.children:
            if child.name in of.fields:
                given = get_named_type(of.fields[child.name].type)
                yield from self._places(child, given.name)
