"""Perks that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class PerkRefusal(Refusal):
    """The branch of perks that cannot be used, and uses that cannot be given back."""


@dataclass(eq=False, kw_only=True)
class PerkUnknown(PerkRefusal):
    """Returned when there is no perk with this id, or none of the member's own level: alike."""

    code = ErrorCode.PERK_UNKNOWN


@dataclass(eq=False, kw_only=True)
class PerkHoldsByItself(PerkRefusal):
    """Returned when the perk takes effect without being used, as a multiplier of points does."""

    code = ErrorCode.PERK_HOLDS_BY_ITSELF


@dataclass(eq=False, kw_only=True)
class PerkNeedsBirthday(PerkRefusal):
    """Returned when the quota of the perk is for a birthday, and the member has told none."""

    code = ErrorCode.PERK_NEEDS_BIRTHDAY


@dataclass(eq=False, kw_only=True)
class PerkQuotaUsed(PerkRefusal):
    """Returned when the quota of the perk is used up until `resets_at`."""

    code = ErrorCode.PERK_QUOTA_USED
    retryable: ClassVar[bool] = True
    resets_at: datetime


@dataclass(eq=False, kw_only=True)
class PerkUseUnknown(PerkRefusal):
    """Returned when there is no use of a perk with this id."""

    code = ErrorCode.PERK_USE_UNKNOWN
