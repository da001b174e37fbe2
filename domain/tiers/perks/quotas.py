"""How often a perk may be used: the periods of quotas, decided purely.

Periods are days of the programme's time zone. A quota belongs to the code of a perk, whichever
level gives it: uses of the period count at whatever level they were.

A birthday's period lasts from the birthday through the day before the next one; who was born on 29
February has their birthday on 28 February in years that have no such day. Whoever changes their
birthday has no second helping: uses count whose own period began after the birthday of the year
before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.ledger import add_months, local_midnight


class Period(StrEnum):
    """After what a quota is full again."""

    DAY = "DAY"
    """Each day."""
    MONTH = "MONTH"
    """Each calendar month."""
    YEAR = "YEAR"
    """Each calendar year."""
    BIRTHDAY = "BIRTHDAY"
    """Each birthday, from the day itself through the day before the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The period that today lies in: its days from `began_on` on, before `ends_on`.

    `previous` and `following` are where the periods before and after it begin; the latter is
    where this one ends.
    """

    period: Period
    previous: date
    began_on: date
    ends_on: date
    following: date


def span(period: Period, *, today: date, birthday: date | None) -> Span | None:
    """The period of that kind which `today` lies in; None for a birthday that nobody has told."""
    match period:
        case Period.DAY:
            starts = [today + timedelta(days=days) for days in (-1, 0, 1, 2)]
        case Period.MONTH:
            starts = [add_months(today.replace(day=1), months) for months in (-1, 0, 1, 2)]
        case Period.YEAR:
            starts = [date(today.year + years, 1, 1) for years in (-1, 0, 1, 2)]
        case Period.BIRTHDAY:
            if birthday is None:
                return None
            last = today.year - (birthday_in(today.year, birthday) > today)
            starts = [birthday_in(last + years, birthday) for years in (-1, 0, 1, 2)]
    previous, began_on, ends_on, following = starts
    return Span(
        period=period, previous=previous, began_on=began_on, ends_on=ends_on, following=following
    )


def birthday_in(year: int, birthday: date) -> date:
    """The day of that year on which it is celebrated."""
    if (birthday.month, birthday.day) == (2, 29):
        return date(year, 3, 1) - timedelta(days=1)
    return birthday.replace(year=year)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a quota; `resets_at` is when it is full again.

    Of a birthday that nobody has told nothing is left, and no moment is known.
    """

    remaining: int
    resets_at: datetime | None


def allowance(
    quota: int, *, span: Span | None, used: int, used_later: int, zone: ZoneInfo
) -> Allowance:
    """What is left after `used` uses that count, `used_later` of which count next time as well."""
    if span is None:
        return Allowance(remaining=0, resets_at=None)
    full_on = span.following if used_later else span.ends_on
    return Allowance(remaining=max(quota - used, 0), resets_at=local_midnight(full_on, zone))


def free_ordinal(taken: Sequence[int]) -> int:
    """The least number from 1 that is not taken."""
    return next(number for number in range(1, len(taken) + 2) if number not in set(taken))
