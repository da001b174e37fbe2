"""The clock of service levels: which minutes count, and when they are used up. Decided purely.

The clock counts minutes. A minute of the world counts where the shop's wall clock shows a minute of
its hours, and the ticket does not wait for the member. Where the wall clock is put forward, the
minutes that it skips are not there to count; where it is put back, those that it shows twice count
twice. A moment belongs to the minute that it falls into, and a stretch of time ends before its last
minute: 9:00 to 18:00 are 540 minutes, and a deadline may fall on 18:00 itself.

Nothing here walks over minutes: the work goes with the days between start and deadline, after the
last pause no more than DAYS_MAX of them. Offsets of zones are whole minutes, as they are everywhere
since 1972.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

MINUTES_OF_DAY: Final = 24 * 60
DAYS_OF_WEEK: Final = 7

WEEK_MINUTES_MIN: Final = 600
"""The least that a calendar is open in a week without exceptions."""

EXCEPTIONS_MAX: Final = 400
"""How many holidays and days of other hours a calendar may name."""

MINUTES_MAX: Final = 30 * MINUTES_OF_DAY
"""The longest that a service level may promise, in minutes that count."""

# Each exception may take a whole week's minutes away, where the shop opens one day a week.
_WEEKS_MAX: Final = MINUTES_MAX // WEEK_MINUTES_MIN + EXCEPTIONS_MAX + 54
DAYS_MAX: Final = _WEEKS_MAX * DAYS_OF_WEEK
"""Within so many days that are not paused, any promise is used up by any calendar there may be."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY: Final = _EPOCH.date().toordinal()
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """Minutes of a day as its wall clock shows them, from midnight: `closes` is the first after.

    0 to 1,440, and `closes` above `opens`.
    """

    opens: int
    closes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When somebody is there, by the wall clock of `zone`.

    `week` has the hours of seven days, Monday first; `exceptions` those of days that are unlike
    their weekday: none on holidays. The hours of a day are in order and do not overlap.
    """

    zone: ZoneInfo
    week: Sequence[Sequence[Hours]]
    exceptions: Mapping[date, Sequence[Hours]] = field(default_factory=dict)

    def hours_on(self, day: date) -> Sequence[Hours]:
        """The hours of a day of the zone; none where it is closed all day."""
        own = self.exceptions.get(day)
        return self.week[day.weekday()] if own is None else own


@dataclass(frozen=True, slots=True, order=True)
class Pause:
    """The ticket waits for the member: since when, and until when unless it waits still."""

    since: datetime
    until: datetime | None = None


def due(
    calendar: Calendar, start: datetime, *, minutes: int, pauses: Sequence[Pause] = ()
) -> datetime | None:
    """When `minutes` that count are used up after `start`: the end of the last of them, in UTC.

    None while it cannot be told, because the ticket waits for the member. Pauses may overlap and
    come in any order; those before `start` do not matter.
    """
    assert 0 < minutes <= MINUTES_MAX, "policies promise no more, and nothing at once"
    left = minutes
    for since, until in _running(_minute(start), pauses):
        last = since + DAYS_MAX * MINUTES_OF_DAY if until is None else until
        for opens, closes in _open(calendar, since, last):
            if left <= closes - opens:
                return _moment(opens + left)
            left -= closes - opens
        assert until is not None, "calendars are checked to open often enough"
    return None


def put_off(calendar: Calendar, by: datetime, *, since: datetime, until: datetime) -> datetime:
    """The deadline `by`, of which as many minutes are left at `until` as were at `since`.

    So it is after a pause, or where a promise goes over to a ticket that stood still longer. One
    that had passed stays.
    """
    left = working_minutes(calendar, since, by)
    if left == 0:
        return by
    moved = due(calendar, until, minutes=left)
    assert moved is not None, "nothing is paused after the pause"
    return moved


def working_minutes(
    calendar: Calendar, start: datetime, end: datetime, *, pauses: Sequence[Pause] = ()
) -> int:
    """How many minutes count from `start` to `end`; none where it is not later."""
    last = _minute(end)
    return sum(
        closes - opens
        for since, until in _running(_minute(start), pauses)
        for opens, closes in _open(calendar, since, last if until is None else min(until, last))
    )


def is_open(calendar: Calendar, moment: datetime) -> bool:
    """Whether somebody is there."""
    minute = _minute(moment)
    return any(True for _ in _open(calendar, minute, minute + 1))


def next_opening(calendar: Calendar, moment: datetime) -> datetime:
    """When somebody is there again, in UTC; the minute of `moment` itself while it is open."""
    minute = _minute(moment)
    for opens, _ in _open(calendar, minute, minute + DAYS_MAX * MINUTES_OF_DAY):
        return _moment(opens)
    raise AssertionError("calendars are checked to open often enough")


def _running(start: int, pauses: Sequence[Pause]) -> Iterator[tuple[int, int | None]]:
    """The stretches from `start` on that are in no pause; the last one has no end, if it is left.

    Nothing follows a pause that has no end.
    """
    since = start
    for pause in sorted(pauses, key=lambda one: one.since):
        begins = _minute(pause.since)
        if begins > since:
            yield since, begins
        if pause.until is None:
            return
        since = max(since, _minute(pause.until))
    yield since, None


def _open(calendar: Calendar, since: int, until: int) -> Iterator[tuple[int, int]]:
    """The stretches within [since, until) in which it is open, in their order."""
    for begins, ends, offset in _offsets(calendar.zone, since, until):
        # While the offset stays, local days follow each other as they do on paper.
        for day in range(*_local_days(begins, ends, offset)):
            midnight = day * MINUTES_OF_DAY - offset
            for hours in calendar.hours_on(date.fromordinal(_FIRST_DAY + day)):
                opens, closes = max(begins, midnight + hours.opens), midnight + hours.closes
                if opens < min(closes, ends):
                    yield opens, min(closes, ends)


def _local_days(begins: int, ends: int, offset: int) -> tuple[int, int]:
    first = (begins + offset) // MINUTES_OF_DAY
    return first, (ends - 1 + offset) // MINUTES_OF_DAY + 1


def _offsets(zone: ZoneInfo, since: int, until: int) -> Iterator[tuple[int, int, int]]:
    """Stretches that make up [since, until), each with its minutes east of Greenwich."""
    while since < until:
        year = _moment(since).year
        for begins, ends, offset in _offsets_of_year(zone, year):
            if max(since, begins) < min(until, ends):
                yield max(since, begins), min(until, ends), offset
        since = _minute(datetime(year + 1, 1, 1, tzinfo=UTC))


@lru_cache(maxsize=512)
def _offsets_of_year(zone: ZoneInfo, year: int) -> Sequence[tuple[int, int, int]]:
    """The same of a whole year of UTC: some 400 questions to the zone, the first time only."""
    first = _minute(datetime(year, 1, 1, tzinfo=UTC))
    end = _minute(datetime(year + 1, 1, 1, tzinfo=UTC))
    found, begins = [], first
    for day in range(first, end, MINUTES_OF_DAY):
        low, high = day, min(day + MINUTES_OF_DAY, end)
        before = _offset(zone, low)
        if _offset(zone, high) == before:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
        if begins < high < end:
            found.append((begins, high, before))
            begins = high
    return (*found, (begins, end, _offset(zone, end - 1)))


def _offset(zone: ZoneInfo, minute: int) -> int:
    """How many minutes the zone's wall clock is ahead of UTC."""
    ahead = _moment(minute).astimezone(zone).utcoffset()
    assert ahead is not None, "a moment in a zone knows its offset"
    return ahead // _MINUTE


def _minute(moment: datetime) -> int:
    """The minute since 1970 that the moment falls into."""
    return (moment - _EPOCH) // _MINUTE


def _moment(minute: int) -> datetime:
    return _EPOCH + minute * _MINUTE
