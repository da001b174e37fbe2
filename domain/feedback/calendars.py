"""When service is there: calendars by version, their rules and how they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from domain.errors import Flaws, InvalidInput
from domain.feedback.sla import (
    DAYS_OF_WEEK,
    EXCEPTIONS_MAX,
    MINUTES_OF_DAY,
    WEEK_MINUTES_MIN,
    Calendar,
    Hours,
)

HOURS_MAX: Final = 6
"""How many ranges of hours a day may have."""

CLOSED_DAYS_MAX: Final = 62
"""For so many days on end a calendar may be closed, and no longer."""

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2199, 12, 31)

WEEKDAYS: Final = (
    "MONDAY",
    "TUESDAY",
    "WEDNESDAY",
    "THURSDAY",
    "FRIDAY",
    "SATURDAY",
    "SUNDAY",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCalendar:
    """A calendar. `version` counts those that were defined, 0 where nobody has defined any."""

    zone: ZoneInfo
    week: Sequence[Sequence[Hours]]
    exceptions: Mapping[date, Sequence[Hours]] = field(default_factory=dict)
    version: int = 0

    @property
    def hours(self) -> Calendar:
        """What the clock goes by."""
        return Calendar(zone=self.zone, week=self.week, exceptions=self.exceptions)


ALWAYS: Final = ServiceCalendar(
    zone=ZoneInfo("UTC"), week=((Hours(0, MINUTES_OF_DAY),),) * DAYS_OF_WEEK
)
"""What holds where nobody has defined a calendar: the clock never stops."""


def calendar_flaws(calendar: ServiceCalendar) -> Sequence[InvalidInput]:
    """Every rule that the calendar breaks, at most one for each field."""
    return _flaws(calendar).found


def check_calendar(calendar: ServiceCalendar) -> None:
    """Refused with InvalidInput, which names the field and its rule, where one is broken."""
    _flaws(calendar).refuse_first()


def calendar_to_json(calendar: ServiceCalendar) -> dict[str, Any]:
    """The calendar as it is stored: minutes of the day, exceptions by date."""
    return {
        "zone": calendar.zone.key,
        "week": [_to_pairs(hours) for hours in calendar.week],
        "exceptions": {
            day.isoformat(): _to_pairs(hours) for day, hours in sorted(calendar.exceptions.items())
        },
    }


def calendar_from_json(version: int, definition: Mapping[str, Any]) -> ServiceCalendar:
    """The calendar of a definition that `calendar_to_json` made."""
    return ServiceCalendar(
        zone=ZoneInfo(definition["zone"]),
        week=tuple(_of_pairs(pairs) for pairs in definition["week"]),
        exceptions={
            date.fromisoformat(day): _of_pairs(pairs)
            for day, pairs in definition["exceptions"].items()
        },
        version=version,
    )


def minute_of(text: str) -> int | None:
    """The minute of the day that `09:30` is, 1,440 for `24:00`; None for anything else."""
    hour, colon, minute = text.partition(":")
    if len(text) != 5 or not colon or not (hour + minute).isascii():
        return None
    if not (hour.isdigit() and minute.isdigit() and int(minute) < 60):
        return None
    found = int(hour) * 60 + int(minute)
    return found if found <= MINUTES_OF_DAY else None


def text_of(hours: Hours) -> str:
    """A range of hours as text: `09:00-18:00`."""
    return "-".join(f"{one // 60:02}:{one % 60:02}" for one in (hours.opens, hours.closes))


def hours_of(texts: Sequence[str], *, field: tuple[str, ...]) -> Sequence[Hours]:
    """Ranges such as `09:00-18:00` as hours. Refused: InvalidInput, which names the field."""
    found = []
    for text in texts:
        opens, _, closes = text.partition("-")
        first, end = minute_of(opens), minute_of(closes)
        if first is None or end is None:
            raise InvalidInput(field=field, rule="hours from 00:00 to 24:00, such as 09:30-18:00")
        found.append(Hours(first, end))
    return tuple(found)


def _to_pairs(hours: Sequence[Hours]) -> list[list[int]]:
    return [[one.opens, one.closes] for one in hours]


def _of_pairs(pairs: Sequence[Sequence[int]]) -> Sequence[Hours]:
    return tuple(Hours(opens, closes) for opens, closes in pairs)


def _flaws(calendar: ServiceCalendar) -> Flaws:
    flaws = Flaws()
    assert len(calendar.week) == DAYS_OF_WEEK, "a week has seven days, open or not"
    for number, hours in enumerate(calendar.week):
        with flaws.noted():
            _check_hours(hours, field=("week", str(number)))
    if len(calendar.exceptions) > EXCEPTIONS_MAX:
        rule = f"at most {EXCEPTIONS_MAX} days"
        flaws.found.append(InvalidInput(field=("exceptions",), rule=rule))
        return flaws
    for number, (day, hours) in enumerate(calendar.exceptions.items()):
        with flaws.noted():
            if not FIRST_DAY <= day <= LAST_DAY:
                rule = f"a day from {FIRST_DAY} to {LAST_DAY}"
                raise InvalidInput(field=("exceptions", str(number)), rule=rule)
            _check_hours(hours, field=("exceptions", str(number)))
    if not flaws.found:
        with flaws.noted():
            _check_opens(calendar)
    return flaws


def _check_hours(hours: Sequence[Hours], *, field: tuple[str, ...]) -> None:
    if len(hours) > HOURS_MAX:
        raise InvalidInput(field=field, rule=f"at most {HOURS_MAX} ranges of hours")
    last = 0
    for one in hours:
        if not last <= one.opens < one.closes <= MINUTES_OF_DAY:
            raise InvalidInput(field=field, rule="ranges in order, each closing after it opens")
        last = one.closes


def _check_opens(calendar: ServiceCalendar) -> None:
    """Refuse a calendar by which nobody would ever be there: deadlines would have no end."""
    minutes = sum(one.closes - one.opens for hours in calendar.week for one in hours)
    if minutes < WEEK_MINUTES_MIN:
        raise InvalidInput(field=("week",), rule=f"open at least {WEEK_MINUTES_MIN} minutes a week")
    for day in calendar.exceptions:
        run = 0
        while not calendar.hours.hours_on(day + timedelta(days=run)):
            run += 1
            if run > CLOSED_DAYS_MAX:
                rule = f"closed for at most {CLOSED_DAYS_MAX} days on end, not from {day} on"
                raise InvalidInput(field=("exceptions",), rule=rule)
