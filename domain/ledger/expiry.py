"""When points expire: policies as values, decided purely.

A lot's `expires_at` is exclusive and is a local midnight of the programme's time zone: points that
are valid through day D expire at the midnight that begins D+1.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The sentinel for "never": a date, not NULL, which the two databases would sort differently."""


@dataclass(frozen=True, slots=True)
class AfterDays:
    """Valid through the day that lies `days` days after the day of earning."""

    days: int


@dataclass(frozen=True, slots=True)
class AfterMonths:
    """Valid through the same day `months` calendar months later, or that month's last day.

    31 January + 1 month is 28 February, or 29 in a leap year.
    """

    months: int


@dataclass(frozen=True, slots=True)
class EndOfYear:
    """Valid through 31 December of the calendar year of earning and `grace_days` days more."""

    grace_days: int = 0


@dataclass(frozen=True, slots=True)
class Never:
    """Valid for ever."""


ExpiryPolicy = AfterDays | AfterMonths | EndOfYear | Never


def add_months(day: date, months: int) -> date:
    """The same day of the month `months` later, or that month's last day when it has no such."""
    month_index = day.year * 12 + day.month - 1 + months
    year, month = month_index // 12, month_index % 12 + 1
    last = calendar.monthrange(year, month)[1]
    return date(year, month, min(day.day, last))


@lru_cache(maxsize=1_024)  # Points that are earned together expire together.
def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which `day` begins in `zone`."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def expires_at(policy: ExpiryPolicy, *, earned_at: datetime, zone: ZoneInfo) -> datetime:
    """The exclusive end, in UTC, of the validity of points earned at `earned_at` (aware)."""
    day = earned_at.astimezone(zone).date()
    match policy:
        case AfterDays(days):
            last_day = day + timedelta(days=days)
        case AfterMonths(months):
            last_day = add_months(day, months)
        case EndOfYear(grace_days):
            last_day = date(day.year, 12, 31) + timedelta(days=grace_days)
        case Never():
            return NEVER
    return local_midnight(last_day + timedelta(days=1), zone)


def policy_to_json(policy: ExpiryPolicy) -> dict[str, Any]:
    """The policy as a JSON object: `{"kind": "after_months", "months": 12}` and its like."""
    match policy:
        case AfterDays(days):
            return {"kind": "after_days", "days": days}
        case AfterMonths(months):
            return {"kind": "after_months", "months": months}
        case EndOfYear(grace_days):
            return {"kind": "end_of_year", "grace_days": grace_days}
        case Never():
            return {"kind": "never"}


DAYS_MAX = 36_500
MONTHS_MAX = 1_200
GRACE_DAYS_MAX = 3_650
"""A hundred years, and ten of grace."""


def policy_from_json(value: object) -> ExpiryPolicy:
    """The policy that `policy_to_json` wrote; ValueError for anything else.

    What is not part of a policy is refused, so that nobody believes it has an effect.
    """
    match value:
        case {"kind": "after_days", "days": days, **rest}:
            if not rest and _is_whole(days, 1, DAYS_MAX):
                return AfterDays(days)
        case {"kind": "after_months", "months": months, **rest}:
            if not rest and _is_whole(months, 1, MONTHS_MAX):
                return AfterMonths(months)
        case {"kind": "end_of_year", "grace_days": grace, **rest}:
            if not rest and _is_whole(grace, 0, GRACE_DAYS_MAX):
                return EndOfYear(grace)
        case {"kind": "never", **rest} if not rest:
            return Never()
    raise ValueError(f"not an expiry policy: {value!r}")


def _is_whole(value: object, at_least: int, at_most: int) -> bool:
    """Whether it is a whole number within the bounds; JSON's true and false are none."""
    return type(value) is int and at_least <= value <= at_most
