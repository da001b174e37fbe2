"""What a receiver of webhooks asks us to wait. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

RETRY_AFTER_MAX: Final = timedelta(hours=24)
_HEADER_CHARACTERS_MAX: Final = 64


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """What `Retry-After` asks for, seconds or a date, a day at most; None where it is neither."""
    if value is None or len(value) > _HEADER_CHARACTERS_MAX:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        asked = timedelta(seconds=min(int(value), RETRY_AFTER_MAX.total_seconds()))
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):  # Both are dates that there are not.
            return None
        asked = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return min(max(asked, timedelta(0)), RETRY_AFTER_MAX)
