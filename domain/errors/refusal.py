"""The root of the tree, and the refusals that any context may raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.errors.codes import ErrorCode


@dataclass(eq=False, kw_only=True)
class Refusal(Exception):
    """The root. `field` is the path inside the input, outermost first, where one is to blame."""

    code: ClassVar[ErrorCode]
    retryable: ClassVar[bool] = False
    field: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.__dict__}"


@dataclass(eq=False, kw_only=True)
class InvalidInput(Refusal):
    """Returned when a value breaks a documented rule of its field; `rule` says which."""

    code = ErrorCode.INVALID_INPUT
    rule: str


@dataclass(eq=False, kw_only=True)
class MemberNotFound(Refusal):
    """Returned when no member answers to the reference."""

    code = ErrorCode.MEMBER_NOT_FOUND


@dataclass(eq=False, kw_only=True)
class IdempotencyConflict(Refusal):
    """Returned when the same key was used with another input; names the fields that differ."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT
    key: str
    differing: tuple[str, ...]
