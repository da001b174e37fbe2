"""What cannot be done with what members are told."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class NotificationUnknown(Refusal):
    """Returned when the member has no such notification."""

    code = ErrorCode.NOTIFICATION_UNKNOWN
