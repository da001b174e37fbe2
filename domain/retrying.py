"""When what another server did not take is sent again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
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
