"""Levels that were granted, and cannot be ended."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class LevelGrantUnknown(Refusal):
    """Returned when there is no grant with this id, or it has ended."""

    code = ErrorCode.LEVEL_GRANT_UNKNOWN
