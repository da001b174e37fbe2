"""When a webhook that was not taken is sent again. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The least that passes after each attempt that failed."""

ATTEMPTS_MAX: Final = len(PAUSES) + 1
JITTER: Final = 0.1
"""A pause is longer by up to this part of it: what failed together does not come together."""

RETRY_AFTER_MAX: Final = timedelta(hours=24)
_HEADER_CHARACTERS_MAX: Final = 64


def next_attempt_at(
    attempts: int, *, failed_at: datetime, asked_for: timedelta | None, jitter: float
) -> datetime | None:
    """When to try again after this many attempts, the last one failed; None after the last one.

    `asked_for` is what the receiver asked us to wait, `jitter` a number from 0 to 1.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    pause = PAUSES[attempts - 1] * (1 + JITTER * jitter)
    return failed_at + max(pause, asked_for or timedelta(0))


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
