"""The scalar and the enums of the schema that fails."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any, NewType

import strawberry
from graphql import Undefined

Even = NewType("Even", int)


def give_even(value: Any) -> int:
    """Serializes what is even, fails for some values, and makes nothing of others."""
    if not isinstance(value, int):
        message = f"not a number: {type(value).__name__}"
        raise TypeError(message)
    if value % 2:
        return None if value % 3 else Undefined  # type: ignore[return-value]  # on purpose
    return value


class Mood(Enum):
    """An enum of plain values."""

    CALM = "calm"
    CROSS = "cross"
    SAD = 3


class Kind(StrEnum):
    """An enum whose members are texts."""

    BIG = "big"
    SMALL = "small"


strawberry.enum(Mood)
strawberry.enum(Kind)
