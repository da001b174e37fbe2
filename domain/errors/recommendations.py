"""What cannot be said of recommendations."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class RecommendationRefusal(Refusal):
    """The branch of what is said of recommendations."""


@dataclass(eq=False, kw_only=True)
class PersonalizationOff(RecommendationRefusal):
    """Returned when only personal recommendations could heed it, and the member wants none."""

    code = ErrorCode.PERSONALIZATION_OFF
