"""What a member cannot have done with their own record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class ExportLimitReached(Refusal):
    """Returned when a member asked for `limit` exports within 24 hours; `again_at` is the next."""

    code = ErrorCode.EXPORT_LIMIT_REACHED
    retryable = True
    limit: int
    again_at: datetime
