"""What cannot be set up of a partner platform."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class PartnerRefusal(Refusal):
    """The branch of what cannot be set up of a partner platform."""


@dataclass(eq=False, kw_only=True)
class PartnerUnknown(PartnerRefusal):
    """Returned when no partner platform has this code."""

    code = ErrorCode.PARTNER_UNKNOWN


@dataclass(eq=False, kw_only=True)
class PartnerKeyUnknown(PartnerRefusal):
    """Returned when the partner has no such key."""

    code = ErrorCode.PARTNER_KEY_UNKNOWN


@dataclass(eq=False, kw_only=True)
class PartnerKeyLimitReached(PartnerRefusal):
    """Returned when the partner has as many keys of the kind as it may: retire one first."""

    code = ErrorCode.PARTNER_KEY_LIMIT_REACHED
    limit: int
