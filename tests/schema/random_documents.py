"""Documents at random over a schema: valid, with fragments, aliases, conditions and variables."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
    is_non_null_type,
)

CONDITIONS = ("a", "b")
LENGTHS = ("n", "m")


@dataclass
class RandomDocument:
    """Writes one document of about `size` parts. `left_out` are fields that it must not ask for."""

    schema: GraphQLSchema
    dice: random.Random
    left_out: frozenset[str] = frozenset()
    size: int = 60
    fragments: dict[str, str] = field(default_factory=dict)

    def write(self) -> str:
        """A query that declares all variables and uses all of its fragments."""
        root = self.schema.query_type
        assert root is not None
        selection = self._selection(root, 4)
        used = " ".join(f"{name}:__typename @include(if:${name})" for name in CONDITIONS)
        unused = " ".join(f"{name}:me{{notes(first:${name}){{nodes{{id}}}}}}" for name in LENGTHS)
        declared = "query($a:Boolean!,$b:Boolean=true,$n:Int,$m:Int=3)"
        return f"{declared}{{{used} {unused} {selection[1:]}" + "".join(self.fragments.values())

    def variables(self) -> dict[str, Any]:
        """Values for the variables, some of them left out."""
        lengths = [None, 1, 2, 5, 30, 100]
        given: dict[str, Any] = {"a": self.dice.random() < 0.5}
        if self.dice.random() < 0.5:
            given["b"] = self.dice.random() < 0.5
        for name in LENGTHS:
            if self.dice.random() < 0.6:
                given[name] = self.dice.choice(lengths)
        return given

    def _selection(self, parent: Any, depth: int) -> str:
        parts = [self._part(parent, depth) for _ in range(self.dice.randint(1, 4))]
        return "{" + " ".join(["__typename", *parts]) + "}"

    def _part(self, parent: Any, depth: int) -> str:
        self.size -= 1
        if self.size < 0:
            return "__typename"
        kind = self.dice.random()
        if kind < 0.15:
            return f"...{self._condition()}{self._selection(parent, depth)}"
        if kind < 0.3:
            narrowed = self._narrowed(parent)
            return f"...on {narrowed.name}{self._condition()}{self._selection(narrowed, depth)}"
        if kind < 0.45:
            return f"...{self._fragment(parent, depth)}{self._condition()}"
        return self._field(parent, depth)

    def _fragment(self, parent: Any, depth: int) -> str:
        """A fragment on the type, new or one that was written for no greater depth."""
        fitting = [name for name in self.fragments if name.startswith(f"F{depth}{parent.name}_")]
        if fitting and self.dice.random() < 0.6:
            return self.dice.choice(fitting)
        name = f"F{depth}{parent.name}_{len(self.fragments)}_{self.dice.randrange(10**6)}"
        # Its text stands there only when it is complete, so that it cannot contain itself.
        selection = self._selection(parent, depth)
        self.fragments[name] = f" fragment {name} on {parent.name}{selection}"
        return name

    def _narrowed(self, parent: Any) -> Any:
        if isinstance(parent, GraphQLInterfaceType):
            return self.dice.choice([parent, *self.schema.get_possible_types(parent)])
        return parent

    def _field(self, parent: Any, depth: int) -> str:
        assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)
        fields = [
            (name, definition)
            for name, definition in parent.fields.items()
            if f"{parent.name}.{name}" not in self.left_out
            and not any(_is_required(one) for one in definition.args.values())
            and (depth > 0 or not is_composite_type(get_named_type(definition.type)))
        ]
        if not fields:
            return "__typename"
        name, definition = self.dice.choice(fields)
        return self._asked(name, definition, depth)

    def _asked(self, name: str, definition: GraphQLField, depth: int) -> str:
        """The field, under a name that says its arguments: so all that is merged is the same."""
        key = name
        if self.dice.random() < 0.2:
            key = f"{name}{self.dice.choice('xy')}"
        arguments = ""
        if "first" in definition.args and self.dice.random() < 0.8:
            first = self.dice.choice(["2", "7", "30", "null", *(f"${one}" for one in LENGTHS)])
            key, arguments = f"{key}_{first.strip('$')}", f"(first:{first})"
        named = get_named_type(definition.type)
        below = self._selection(named, depth - 1) if is_composite_type(named) else ""
        return f"{key}:{name}{arguments}{self._condition()}{below}"

    def _condition(self) -> str:
        if self.dice.random() < 0.8:
            return ""
        kind = self.dice.choice(["include", "skip"])
        value = self.dice.choice([*(f"${one}" for one in CONDITIONS), "true", "false"])
        return f"@{kind}(if:{value})"


def _is_required(argument: Any) -> bool:
    return is_non_null_type(argument.type)
