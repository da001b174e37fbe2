"""When the demo's shop is there for its members, and what it promises them.

Every start sees to it, so that a database that was seeded by an older version has it too. What was
defined already stays.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from api.cli.operators import operator
from api.demo.feedback_topics import open_topics
from domain import feedback
from domain.feedback import FeedbackKind, Hours, Promise, ServiceCalendar, ServiceLevels

_OPEN: Final = (Hours(9 * 60, 18 * 60),)
_HOUR: Final = 60
_DAY: Final = 9 * _HOUR
"""A day of the shop, in minutes that count."""

# The public holidays of 2026, from the first to the last day of each, and Sundays worked for them.
_HOLIDAYS: Final = (
    (date(2026, 1, 1), date(2026, 1, 3)),
    (date(2026, 2, 15), date(2026, 2, 23)),
    (date(2026, 4, 4), date(2026, 4, 6)),
    (date(2026, 5, 1), date(2026, 5, 5)),
    (date(2026, 6, 19), date(2026, 6, 21)),
    (date(2026, 9, 25), date(2026, 9, 27)),
    (date(2026, 10, 1), date(2026, 10, 7)),
)
_WORKED: Final = (date(2026, 1, 4), date(2026, 9, 20))

CALENDAR: Final = ServiceCalendar(
    zone=ZoneInfo("Asia/Shanghai"),
    week=(*[_OPEN] * 6, ()),
    exceptions={
        **{
            date.fromordinal(day): ()
            for first, last in _HOLIDAYS
            for day in range(first.toordinal(), last.toordinal() + 1)
        },
        **dict.fromkeys(_WORKED, _OPEN),
    },
)

LEVELS: Final = ServiceLevels(
    promises=(
        Promise(answer_minutes=_DAY, resolve_minutes=3 * _DAY),
        Promise(
            kind=FeedbackKind.COMPLAINT,
            answer_minutes=2 * _HOUR,
            resolve_minutes=2 * _DAY,
            answer_points=50,
            resolve_points=200,
        ),
        Promise(
            kind=FeedbackKind.COMPLAINT,
            level="diamond",
            answer_minutes=30,
            resolve_minutes=_DAY,
            answer_points=100,
            resolve_points=500,
            priority=4,
        ),
        Promise(
            kind=FeedbackKind.LOSS,
            answer_minutes=_HOUR,
            resolve_minutes=2 * _DAY,
            answer_points=50,
            resolve_points=200,
        ),
        Promise(kind=FeedbackKind.SUGGESTION, answer_minutes=3 * _DAY),
        Promise(kind=FeedbackKind.PRAISE),
    )
)


async def open_service(*, now: datetime) -> None:
    """Define topics, causes, the calendar and the promises, unless there are any."""
    await open_topics(now=now)
    if not (await feedback.service_calendar()).version:
        await feedback.define_service_calendar(CALENDAR, by=operator(), now=now)
    if not (await feedback.service_levels_in_force()).version:
        await feedback.define_service_levels(LEVELS, by=operator(), now=now)
