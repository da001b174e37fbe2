"""A clock of service levels that counts minute by minute, as slow and plain as can be.

It asks the wall clock at every minute of the world, and knows nothing of days, offsets or ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from domain.feedback.sla import MINUTES_OF_DAY, Calendar, Hours, Pause

MINUTE: Final = timedelta(minutes=1)

ZONES: Final = (
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",  # until 2011 its clock changed at 0:01, so that a day came back
    "Australia/Lord_Howe",  # half an hour of summer time
    "Asia/Kathmandu",
    "Pacific/Apia",  # there was no 30 December 2011
    "America/Sao_Paulo",  # midnight itself was skipped
    "Africa/Casablanca",
    "Pacific/Chatham",
    "UTC",
)
CHANGES: Final = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "America/St_Johns": (date(2010, 3, 14), date(2010, 11, 7)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "Pacific/Apia": (date(2011, 12, 30), date(2011, 9, 24)),
    "America/Sao_Paulo": (date(2018, 11, 4), date(2018, 2, 18)),
    "Africa/Casablanca": (date(2026, 2, 15), date(2026, 3, 22)),
    "Pacific/Chatham": (date(2026, 4, 5), date(2026, 9, 27)),
}
"""Days on which clocks are changed, or nearly: where it is easiest to be wrong."""


def of_minute(moment: datetime) -> datetime:
    """The beginning of the minute that the moment falls into."""
    return moment.replace(second=0, microsecond=0)


def counts(calendar: Calendar, minute: datetime, pauses: Sequence[Pause]) -> bool:
    """Whether this one minute counts."""
    for pause in pauses:
        waits = of_minute(pause.since) <= minute
        if waits and (pause.until is None or minute < of_minute(pause.until)):
            return False
    local = minute.astimezone(calendar.zone)
    of_day = local.hour * 60 + local.minute
    return any(one.opens <= of_day < one.closes for one in calendar.hours_on(local.date()))


def counted(calendar: Calendar, start: datetime, end: datetime, pauses: Sequence[Pause]) -> int:
    """How many minutes count, one after the other."""
    found, minute, last = 0, of_minute(start), of_minute(end)
    while minute < last:
        found += counts(calendar, minute, pauses)
        minute += MINUTE
    return found


def reached(
    calendar: Calendar, start: datetime, *, minutes: int, pauses: Sequence[Pause], days_max: int
) -> datetime | None:
    """The end of the last minute; None where it is not within so many days."""
    left, minute = minutes, of_minute(start)
    for _ in range(days_max * MINUTES_OF_DAY):
        left -= counts(calendar, minute, pauses)
        minute += MINUTE
        if left == 0:
            return minute
    return None


def random_calendar(dice: Random, *, around: date) -> Calendar:
    """Hours of any shape, on some days only; holidays and days of other hours around a day."""
    week = [random_hours(dice) if dice.random() < 0.8 else () for _ in range(7)]
    if not any(week):
        week[dice.randrange(7)] = (Hours(0, MINUTES_OF_DAY),)
    exceptions = {}
    for _ in range(dice.randrange(6)):
        day = around + timedelta(days=dice.randrange(-2, 12))
        exceptions[day] = random_hours(dice) if dice.random() < 0.4 else ()
    return Calendar(zone=ZoneInfo(dice.choice(ZONES)), week=week, exceptions=exceptions)


def random_hours(dice: Random) -> Sequence[Hours]:
    """One to three ranges of a day, in order; they may touch, and be a minute long."""
    if dice.random() < 0.2:
        return (Hours(0, MINUTES_OF_DAY),)
    if dice.random() < 0.4:
        return (Hours(9 * 60, 18 * 60),)
    ends = sorted(dice.sample(range(MINUTES_OF_DAY + 1), 2 * dice.randrange(1, 4)))
    return tuple(Hours(*pair) for pair in zip(ends[::2], ends[1::2], strict=True))


def random_start(dice: Random, zone: str) -> datetime:
    """A moment, seconds and all: near a change of clocks where the zone has any, or anywhere."""
    if zone in CHANGES and dice.random() < 0.7:
        day = datetime.combine(dice.choice(CHANGES[zone]), time.min, tzinfo=UTC)
        return day + timedelta(seconds=dice.randrange(-3 * 86_400, 86_400))
    first = datetime(2024, 1, 1, tzinfo=UTC)
    return first + timedelta(seconds=dice.randrange(5 * 365 * 86_400))


def random_pauses(dice: Random, start: datetime) -> list[Pause]:
    """A few, some of them before the start, within each other or of no length; the last open."""
    pauses = []
    for _ in range(dice.randrange(4)):
        since = start + timedelta(seconds=dice.randrange(-86_400, 4 * 86_400))
        pauses.append(Pause(since, since + timedelta(seconds=dice.randrange(86_400))))
    if dice.random() < 0.15:
        pauses.append(Pause(start + timedelta(seconds=dice.randrange(86_400 * 3))))
    dice.shuffle(pauses)
    return pauses
