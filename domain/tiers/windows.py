"""The programme's rules of levels, decided purely: which days count, and how long a level holds.

Days are local to the programme. Under a *rolling* window the last months up to today count, and
a level that is reached holds through the same day as many months later (29 February: the 28th).
Under the window of the *calendar year* the year of today counts, and a level that is reached holds
through the end of the next year. Its keepUntil, from when it need not hold any more, is the local
midnight that follows. What would be after the last days that a calendar has is NEVER, which comes
for no level.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from domain.ledger import NEVER, add_months, local_midnight

MONTHS_MAX: Final = 60
GRACE_DAYS_MAX: Final = 180
NOTICE_DAYS_MAX: Final = 180


@dataclass(frozen=True, slots=True)
class Rolling:
    """The `months` calendar months that end today."""

    months: int = 12


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """The local calendar year of today."""


# Its end may be later than NEVER, which is a midnight of UTC.
_LAST_DAY: Final = NEVER.date() - timedelta(days=1)

Window = Rolling | CalendarYear


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRules:
    """Which days count, and what happens at the end of a term.

    `grace_days`: for how long a level goes on when its review was not passed, so that it still can
    be. `notice_days`: how long before its review a member whose level would fall is told; 0 tells
    nobody. `version` counts the changes of the rules, 0 for those of a programme that set none.
    """

    window: Window = Rolling()
    grace_days: int = 0
    notice_days: int = 30
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Days that count together: those after `after`, through `through`, when reached so."""

    after: date
    through: date
    reached_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TermDates:
    """A term by its days: until when it holds, exclusive, and which days count for what.

    Its review counts the days after `keep_after_day`; a refund is held against those after
    `basis_after_day`, which the level was reached by.
    """

    keep_until: datetime
    keep_after_day: date
    basis_after_day: date


def reaches(rules: LevelRules, *, today: date) -> tuple[Reach, ...]:
    """The windows by which a level can be reached today, the present one first.

    What is recorded late counts in the year in which it was bought: so last year's level, which
    holds through this year, can still be reached.
    """
    match rules.window:
        case Rolling(months):
            # An order may be stamped minutes ahead of us, so tomorrow: it counts at once.
            after = add_months(today, -months)
            return (Reach(after=after, through=date.max, reached_on=today),)
        case CalendarYear():
            last, before = date(today.year - 1, 12, 31), date(today.year - 2, 12, 31)
            return (
                Reach(after=last, through=date.max, reached_on=today),
                Reach(after=before, through=last, reached_on=last),
            )


def term_dates(rules: LevelRules, *, reached_on: date, zone: ZoneInfo) -> TermDates:
    """The term of a level that is reached on a day."""
    match rules.window:
        case Rolling(months):
            last = _months_later(reached_on, months)
            keep_after, basis_after = reached_on, add_months(reached_on, -months)
        case CalendarYear():
            last = _months_later(date(reached_on.year, 12, 31), 12)
            keep_after = date(reached_on.year, 12, 31)
            basis_after = date(reached_on.year - 1, 12, 31)
    return TermDates(
        keep_until=_end_of(last, zone),
        keep_after_day=keep_after,
        basis_after_day=basis_after,
    )


def imported_dates(
    rules: LevelRules, *, reached_on: date, keep_until: datetime | None, zone: ZoneInfo
) -> TermDates:
    """The term of a level that came along, reached on a day elsewhere and kept until then.

    Its review counts what is earned here: after the day on which it was reached, or in the last
    year of its term where calendar years count. None: as if it had been reached here.
    """
    dates = term_dates(rules, reached_on=reached_on, zone=zone)
    if keep_until is None:
        return dates
    after = reached_on
    if isinstance(rules.window, CalendarYear):
        after = date(last_day(keep_until, zone=zone).year - 1, 12, 31)
    return replace(dates, keep_until=keep_until, keep_after_day=after)


def last_day(until: datetime, *, zone: ZoneInfo) -> date:
    """The local day of the last moment before `until`."""
    return (until - timedelta(microseconds=1)).astimezone(zone).date()


def days_later(moment: datetime, days: int, *, zone: ZoneInfo) -> datetime:
    """The local midnight that ends the day so many days after the last day before `moment`.

    So a term that ends at a midnight has that many days of grace; `days` may be negative.
    """
    last = last_day(moment, zone=zone)
    return _end_of(last + timedelta(days=min(days, (date.max - last).days)), zone)


def _months_later(day: date, months: int) -> date:
    if day.year + (day.month - 1 + months) // 12 > date.max.year:
        return date.max
    return add_months(day, months)


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    """The local midnight that ends a day."""
    return NEVER if day >= _LAST_DAY else local_midnight(day + timedelta(days=1), zone)
