"""What generated functions call: the checks that stand between a value and its place.

graphql-core asks of every value whether it is an exception or can be awaited. The answer depends on
the class of the value, so here it is asked once for each class, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from types import WrapperDescriptorType
from typing import Any, Final, TypeAlias
from uuid import UUID

from graphql import GraphQLLeafType, Undefined
from strawberry.execution import optimized_is_awaitable

Complete: TypeAlias = Callable[[Any], Any]


class Unplanned(Exception):
    """Raised where graphql-core has to make the value. Nobody outside of this folder sees it."""


PLAIN: Final[set[type]] = {bool, int, float, str, list, tuple, dict, date, datetime, UUID}
"""Classes whose values are neither null, nor exceptions, nor to be awaited."""


def look(value: Any) -> None:
    """Find out whether the value is plain, and remember its class. Raises Unplanned."""
    if value is None or value is Undefined or isinstance(value, Exception):
        raise Unplanned
    if optimized_is_awaitable(value):
        raise Unplanned
    kind = type(value)
    if _answers_alike(kind):
        PLAIN.add(kind)


def _answers_alike(kind: type) -> bool:
    """Whether one value of the class has `__await__` when another has it: not so where the class
    says in Python what attributes its values have, and where its values are classes.
    """
    return (
        isinstance(kind.__getattribute__, WrapperDescriptorType)
        and not hasattr(kind, "__getattr__")
        and not issubclass(kind, type)
    )


def listed(value: Any) -> Any:
    """The value, which is a list or a tuple and of no class of somebody's own. Raises Unplanned."""
    if type(value) is list or type(value) is tuple:
        return value
    raise Unplanned


def leaf_completion(leaf: GraphQLLeafType, *, nullable: bool) -> Complete:
    """A function that makes of any value what a leaf of this type is in the answer.

    It raises Unplanned, or what the type raises, where graphql-core would report an error.
    """
    coerce = leaf.coerce_output_value

    def complete(value: Any) -> Any:
        if type(value) not in PLAIN:
            if value is None and nullable:
                return None
            look(value)
        completed = coerce(value)
        if type(completed) not in PLAIN:
            look(completed)
        return completed

    return complete
