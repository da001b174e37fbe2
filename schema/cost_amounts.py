"""Amounts that a request decides by its variables: how many items, and whether at all.

They are taken from the variables as the client sent them, before these are coerced. A value that
will be refused may give any amount: then nothing runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from schema.connections import FIRST_DEFAULT, FIRST_MAX

Variables: TypeAlias = Mapping[str, Any]

Conditions: TypeAlias = frozenset[tuple[str, bool]]
"""Variables with the values that they must have, all of them."""

ALWAYS: Final[Conditions] = frozenset()


@dataclass(frozen=True, slots=True)
class Amount:
    """How many items: `known`, or what `variable` says at `path` inside it.

    `counts_list` tells the length of a list from a number. `absent` holds where the client leaves
    the value out.
    """

    known: int | None = None
    variable: str = ""
    path: tuple[str, ...] = ()
    counts_list: bool = False
    absent: int = 0

    @property
    def least(self) -> int:
        """The least that any request can make it."""
        if self.known is not None:
            return self.known
        return 0 if self.counts_list else 1

    def of(self, variables: Variables) -> int:
        """How many with these variables."""
        if self.known is not None:
            return self.known
        value: Any = variables
        for name in (self.variable, *self.path):
            if not isinstance(value, Mapping) or name not in value:
                return self.absent
            value = value[name]
        return _length(value) if self.counts_list else _number(value)


def argument_amount(path: str, definition: GraphQLField, node: FieldNode) -> Amount:
    """How many items the argument at `path` asks for in this place of a document."""
    name, *inner = path.split(".")
    argument = definition.args[name]
    type_: GraphQLInputType = argument.type
    for step in inner:
        named = get_named_type(type_)
        assert isinstance(named, GraphQLInputObjectType), f"{path} leads through input objects"
        type_ = named.fields[step].type
    counts_list = is_list_type(get_nullable_type(type_))
    default = argument.default_value
    absent = default if isinstance(default, int) and not counts_list else 0
    value: ValueNode | None = next(
        (one.value for one in node.arguments or () if one.name.value == name), None
    )
    for at, step in enumerate(inner):
        if not isinstance(value, ObjectValueNode):
            return _amount(value, tuple(inner[at:]), counts_list=counts_list, absent=absent)
        value = next((one.value for one in value.fields if one.name.value == step), None)
    return _amount(value, (), counts_list=counts_list, absent=absent)


def _amount(
    value: ValueNode | None, path: tuple[str, ...], *, counts_list: bool, absent: int
) -> Amount:
    if value is None:
        return Amount(known=absent)
    if isinstance(value, VariableNode):
        return Amount(variable=value.name.value, path=path, counts_list=counts_list, absent=absent)
    if counts_list:
        if isinstance(value, ListValueNode):
            return Amount(known=len(value.values))
        return Amount(known=0 if isinstance(value, NullValueNode) else 1)
    if isinstance(value, IntValueNode):
        return Amount(known=_number(int(value.value)))
    return Amount(known=_number(None))


def _length(value: object) -> int:
    """The length of a list; anything else is taken as a list of one, as GraphQL does."""
    if value is None:
        return 0
    return len(value) if isinstance(value, list) else 1


def _number(value: object) -> int:
    """A number of items. What is out of range is refused by the field, hence any amount will do."""
    if value is None:
        return FIRST_DEFAULT
    if isinstance(value, int | float) and 1 <= value <= FIRST_MAX:
        return int(value)
    return FIRST_MAX


def conditions_of(directives: Iterable[DirectiveNode] | None) -> Conditions | None:
    """On what the place depends by `@skip` and `@include`; None where it is never taken."""
    needed: dict[str, bool] = {}
    for directive in directives or ():
        wanted = {"include": True, "skip": False}.get(directive.name.value)
        for argument in directive.arguments or () if wanted is not None else ():
            value = argument.value
            if isinstance(value, BooleanValueNode):
                if value.value is not wanted:
                    return None
            elif isinstance(value, VariableNode):
                assert wanted is not None, "only the two directives are looked at"
                if needed.setdefault(value.name.value, wanted) is not wanted:
                    return None
    return frozenset(needed.items())


def both(first: Conditions, second: Conditions) -> Conditions | None:
    """What holds when both hold; None when they exclude each other."""
    if not first or not second:
        return first or second
    needed = dict(first)
    for variable, wanted in second:
        if needed.setdefault(variable, wanted) is not wanted:
            return None
    return frozenset(needed.items())


def admitted(alternatives: tuple[Conditions, ...], variables: Variables) -> bool:
    """Whether one of the alternatives holds; none at all means that it always does."""
    return not alternatives or any(
        all(variables.get(name) is wanted for name, wanted in conditions)
        for conditions in alternatives
    )
