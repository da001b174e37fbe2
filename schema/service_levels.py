"""When service is there and what it promises: calendars and policies as staff defines them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from typing import Final

from domain import feedback
from domain.access import StaffRole
from domain.errors import InvalidInput
from domain.program import zone_of
from resolvers import service_levels as resolvers
from schema.connections import After, Connection, First, KeysetList
from schema.cost import READS, Cost
from schema.feedback_kinds import FeedbackKind
from schema.fields import Info, computed, enum_type, input_type, object_type, view
from schema.level_definitions import DEFINES
from schema.mutations import Payload, mutation
from schema.policies import staff
from schema.scalars import Points

SEES_SERVICE: Final = staff(StaffRole.SUPPORT, StaffRole.MARKETING, StaffRole.ADMIN)
"""Who reads what is promised: those who define it, and those who keep it."""

CALENDARS: Final = KeysetList("service-calendars", (int,))
POLICIES: Final = KeysetList("service-levels", (int,))

EXCEPTIONS_LIKELY: Final = 40
PROMISES_LIKELY: Final = 20
"""There may be more days and promises; so many are what they cost."""


class Weekday(Enum):
    """A day of the week."""

    MONDAY = "MONDAY"
    """Monday."""
    TUESDAY = "TUESDAY"
    """Tuesday."""
    WEDNESDAY = "WEDNESDAY"
    """Wednesday."""
    THURSDAY = "THURSDAY"
    """Thursday."""
    FRIDAY = "FRIDAY"
    """Friday."""
    SATURDAY = "SATURDAY"
    """Saturday."""
    SUNDAY = "SUNDAY"
    """Sunday."""


enum_type(Weekday)
_WEEK: Final = list(Weekday)


@object_type(policy=SEES_SERVICE)
class ServiceDay:
    """The hours of a day of the week."""

    day: Weekday
    """Which."""

    hours: list[str]
    """Ranges in their order, such as `09:00-18:00`; none where it is closed."""


@object_type(policy=SEES_SERVICE)
class ServiceException:
    """A day that is unlike its weekday."""

    date: date
    """Which, in the time zone of the calendar."""

    hours: list[str]
    """Ranges in their order; none on a holiday."""


@object_type(policy=SEES_SERVICE)
class ServiceCalendar:
    """When somebody is there. Tickets keep the version that they were filed under."""

    version: int
    """Its number, from 1; 0 while nobody has defined any, and the clock never stops."""

    @computed(SEES_SERVICE)
    def time_zone(self) -> str:
        """The time zone of its wall clock."""
        return _calendar(self).zone.key

    @computed(SEES_SERVICE, cost=Cost(items=7))
    def week(self) -> list[ServiceDay]:
        """The seven days, Monday first."""
        hours = zip(_WEEK, _calendar(self).week, strict=True)
        return [ServiceDay(day=day, hours=_shown(one)) for day, one in hours]

    @computed(SEES_SERVICE, cost=Cost(items=EXCEPTIONS_LIKELY))
    def exceptions(self) -> list[ServiceException]:
        """Holidays and days of other hours, by date."""
        days = sorted(_calendar(self).exceptions.items())
        return [ServiceException(date=day, hours=_shown(hours)) for day, hours in days]


@object_type(policy=SEES_SERVICE)
class ServicePromise:
    """What is promised to tickets of a kind, topic and level; null stands for any.

    Of those that fit a ticket one that names the kind holds before one that does not, then one that
    names the topic, then one that names the level.
    """

    kind: FeedbackKind | None
    """Of which kind."""

    topic: str | None
    """Of which topic, by its code."""

    level: str | None
    """To members of which level, by its code."""

    answer_minutes: int | None
    """In how many minutes of service hours there is an answer; null where none is promised."""

    resolve_minutes: int | None
    """In how many it is done; null where nothing is promised."""

    answer_points: Points
    """What the member is paid, once, when the answer is late."""

    resolve_points: Points
    """What the member is paid, once, when the end is late."""

    priority: int | None
    """How urgent it is, 1 to 4, 4 the most; null for that of its kind."""


@object_type(policy=SEES_SERVICE)
class ServiceLevels:
    """What service promises. Tickets keep the version that they were filed under."""

    version: int
    """Its number, from 1; 0 while nobody has defined any, and nothing is promised."""

    @computed(SEES_SERVICE, cost=Cost(items=PROMISES_LIKELY))
    def promises(self) -> list[ServicePromise]:
        """The promises, in the order in which they were defined."""
        levels: feedback.ServiceLevels = view(self)
        promises: list[ServicePromise] = view(levels.promises)
        return promises


@object_type(policy=SEES_SERVICE)
class DefinedServiceCalendar:
    """A version of the calendar, and when it was defined."""

    calendar: ServiceCalendar
    """The version."""

    defined_at: datetime
    """Since when it was the newest."""


@object_type(policy=SEES_SERVICE)
class DefinedServiceLevels:
    """A version of what service promises, and when it was defined."""

    levels: ServiceLevels
    """The version."""

    defined_at: datetime
    """Since when it was the newest."""


@object_type(policy=SEES_SERVICE)
class ServiceTerms:
    """When service is there, and what it promises: as it is in force, and as it was."""

    @computed(SEES_SERVICE, cost=READS)
    async def calendar(self) -> ServiceCalendar | None:
        """When somebody is there."""
        calendar: ServiceCalendar = view(await resolvers.service_calendar())
        return calendar

    @computed(SEES_SERVICE, cost=READS)
    async def calendar_history(
        self, first: First = 20, after: After = None
    ) -> Connection[DefinedServiceCalendar] | None:
        """All versions of the calendar, newest first."""
        request = CALENDARS.request(first=first, after=after)
        return CALENDARS.connection(await resolvers.defined_calendars(request), request)

    @computed(SEES_SERVICE, cost=READS)
    async def levels(self) -> ServiceLevels | None:
        """What service promises."""
        levels: ServiceLevels = view(await resolvers.service_levels())
        return levels

    @computed(SEES_SERVICE, cost=READS)
    async def levels_history(
        self, first: First = 20, after: After = None
    ) -> Connection[DefinedServiceLevels] | None:
        """All versions of what service promises, newest first."""
        request = POLICIES.request(first=first, after=after)
        return POLICIES.connection(await resolvers.defined_service_levels(request), request)


@input_type()
class ServiceDayInput:
    """The hours of a day of the week."""

    day: Weekday
    """Which."""

    hours: list[str]
    """At most 6 ranges in their order, such as `09:00-18:00`; `24:00` ends the day."""


@input_type()
class ServiceExceptionInput:
    """A day that is unlike its weekday."""

    date: date
    """Which, in the time zone of the calendar."""

    hours: list[str]
    """At most 6 ranges in their order; none on a holiday."""


@input_type()
class DefineServiceCalendarInput:
    """When somebody is there, for tickets that are filed from now on."""

    version: int
    """The newest version when it was read, 0 where there is none."""

    time_zone: str
    """The time zone of its wall clock, for example `Asia/Shanghai`."""

    week: list[ServiceDayInput]
    """The days on which it is open; those that are left out are closed."""

    exceptions: list[ServiceExceptionInput] | None = None
    """Holidays and days of other hours, at most 400."""


@input_type()
class ServicePromiseInput:
    """What is promised to tickets of a kind, topic and level; what is left out stands for any."""

    kind: FeedbackKind | None = None
    """Of which kind."""

    topic: str | None = None
    """Of which topic, by its code."""

    level: str | None = None
    """To members of which level, by its code."""

    answer_minutes: int | None = None
    """In how many minutes of service hours there is an answer, 1 to 43,200."""

    resolve_minutes: int | None = None
    """In how many it is done, 1 to 43,200, no fewer than `answerMinutes`."""

    answer_points: Points | None = None
    """What the member is paid, once, when the answer is late: 0 to 1,000,000."""

    resolve_points: Points | None = None
    """What the member is paid, once, when the end is late: 0 to 1,000,000."""

    priority: int | None = None
    """How urgent it is, 1 to 4; left out for that of its kind."""


@input_type()
class DefineServiceLevelsInput:
    """What service promises, for tickets that are filed from now on."""

    version: int
    """The newest version when it was read, 0 where there is none."""

    promises: list[ServicePromiseInput]
    """At most 200, each for another kind, topic and level."""


@object_type(policy=DEFINES)
class DefineServiceCalendarPayload(Payload):
    """What defining a calendar led to."""

    calendar: ServiceCalendar | None = None
    """The newest version; null when it was refused."""


@object_type(policy=DEFINES)
class DefineServiceLevelsPayload(Payload):
    """What defining a policy led to."""

    levels: ServiceLevels | None = None
    """The newest version; null when it was refused."""


@mutation(DEFINES)
async def define_service_calendar(
    info: Info, input: DefineServiceCalendarInput
) -> DefineServiceCalendarPayload:
    """Define when somebody is there. What is in force already stays at its version."""
    exceptions = input.exceptions or []
    calendar = feedback.ServiceCalendar(
        zone=zone_of(input.time_zone),
        week=_week(input.week),
        exceptions={
            one.date: _hours(one.hours, "exceptions", n) for n, one in enumerate(exceptions)
        },
        version=input.version,
    )
    if len(calendar.exceptions) < len(exceptions):
        raise InvalidInput(field=("exceptions",), rule="each day once")
    made: ServiceCalendar = view(await resolvers.define_service_calendar(info.context, calendar))
    return DefineServiceCalendarPayload(calendar=made)


@mutation(DEFINES)
async def define_service_levels(
    info: Info, input: DefineServiceLevelsInput
) -> DefineServiceLevelsPayload:
    """Define what service promises. What is in force already stays at its version."""
    levels = feedback.ServiceLevels(
        promises=[_promise(one) for one in input.promises], version=input.version
    )
    made: ServiceLevels = view(await resolvers.define_service_levels(info.context, levels))
    return DefineServiceLevelsPayload(levels=made)


def _week(days: Sequence[ServiceDayInput]) -> Sequence[Sequence[feedback.Hours]]:
    if len({one.day for one in days}) < len(days):
        raise InvalidInput(field=("week",), rule="each day once")
    given = {one.day: _hours(one.hours, "week", number) for number, one in enumerate(days)}
    return [given.get(day, ()) for day in _WEEK]


def _hours(hours: Sequence[str], name: str, number: int) -> Sequence[feedback.Hours]:
    return feedback.hours_of(hours, field=(name, str(number), "hours"))


def _promise(given: ServicePromiseInput) -> feedback.Promise:
    return feedback.Promise(
        kind=given.kind,
        topic=given.topic,
        level=given.level,
        answer_minutes=given.answer_minutes,
        resolve_minutes=given.resolve_minutes,
        answer_points=given.answer_points or 0,
        resolve_points=given.resolve_points or 0,
        priority=given.priority,
    )


def _shown(hours: Sequence[feedback.Hours]) -> list[str]:
    return [feedback.text_of(one) for one in hours]


def _calendar(value: ServiceCalendar) -> feedback.ServiceCalendar:
    calendar: feedback.ServiceCalendar = view(value)
    return calendar
