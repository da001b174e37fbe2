"""When service is there and what it promises, as staff defines it."""

from __future__ import annotations

from domain import feedback
from domain.feedback import (
    DefinedCalendar,
    DefinedServiceLevels,
    ServiceCalendar,
    ServiceLevels,
)
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext


async def service_calendar() -> ServiceCalendar:
    """The calendar in force."""
    return await feedback.service_calendar()


async def service_levels() -> ServiceLevels:
    """The policy in force."""
    return await feedback.service_levels_in_force()


async def defined_calendars(page: PageRequest) -> Page[DefinedCalendar]:
    """A page of the versions of the calendar, newest first."""
    return await feedback.defined_calendars(page)


async def defined_service_levels(page: PageRequest) -> Page[DefinedServiceLevels]:
    """A page of the versions of the policy, newest first."""
    return await feedback.defined_service_levels(page)


async def define_service_calendar(
    context: RequestContext, calendar: ServiceCalendar
) -> ServiceCalendar:
    """Define the next version of the calendar, by the member of staff who asks."""
    return await feedback.define_service_calendar(calendar, by=context.actor(), now=context.now)


async def define_service_levels(context: RequestContext, levels: ServiceLevels) -> ServiceLevels:
    """Define the next version of the policy, by the member of staff who asks."""
    return await feedback.define_service_levels(levels, by=context.actor(), now=context.now)
