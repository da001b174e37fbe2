"""What an API client or a staff account is not given."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class AccessRefusal(Refusal):
    """The branch of what an API client or a staff account is not given."""


@dataclass(eq=False, kw_only=True)
class AccountUnknown(AccessRefusal):
    """Returned when no enabled API client or staff account has this code."""

    code = ErrorCode.ACCOUNT_UNKNOWN
    account: str


@dataclass(eq=False, kw_only=True)
class CodeTaken(AccessRefusal):
    """Returned when another API client or staff account was registered under this code."""

    code = ErrorCode.CODE_TAKEN
    account: str


@dataclass(eq=False, kw_only=True)
class ScopeNotGranted(AccessRefusal):
    """Returned when scopes are asked for that the API client does not hold."""

    code = ErrorCode.SCOPE_NOT_GRANTED
    missing: tuple[str, ...]
