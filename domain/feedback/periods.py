"""Periods of programme days in which tickets are counted, and the buckets of a trend. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from domain.errors import InvalidInput

DAYS_MAX: Final = 366
BUCKETS_MAX: Final = 92

_FIRST: Final = date(2000, 1, 1)
_LAST: Final = date(2999, 12, 31)
_DAY: Final = timedelta(days=1)


class TrendStep(StrEnum):
    """How long a bucket of a trend is."""

    DAY = "DAY"
    """A day."""
    WEEK = "WEEK"
    """A week, from Monday to Sunday."""
    MONTH = "MONTH"
    """A month of the calendar."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `first` to `last`, both within it. Refused, when it is made: InvalidInput."""

    first: date
    last: date

    def __post_init__(self) -> None:
        for name, day in (("from", self.first), ("to", self.last)):
            if not _FIRST <= day <= _LAST:
                raise InvalidInput(field=(name,), rule=f"{_FIRST} to {_LAST}")
        if not 0 < (self.last - self.first).days + 1 <= DAYS_MAX:
            raise InvalidInput(field=("to",), rule=f"1 to {DAYS_MAX} days from `from`")

    def within(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """When it begins and, half open, when it ends where this is the time, in UTC."""
        return _midnight(self.first, zone), _midnight(self.last + _DAY, zone)

    def buckets(self, step: TrendStep) -> Sequence[Period]:
        """The period in buckets, of which the first and the last may be short.

        Refused: InvalidInput, where there were more than BUCKETS_MAX.
        """
        found: list[Period] = []
        day = self.first
        while day <= self.last:
            last = min(_last_of(day, step), self.last)
            found.append(Period(day, last))
            day = last + _DAY
        if len(found) > BUCKETS_MAX:
            raise InvalidInput(field=("step",), rule=f"at most {BUCKETS_MAX} buckets")
        return found


def _last_of(day: date, step: TrendStep) -> date:
    if step is TrendStep.DAY:
        return day
    if step is TrendStep.WEEK:
        return day + timedelta(days=6 - day.weekday())
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - _DAY


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
