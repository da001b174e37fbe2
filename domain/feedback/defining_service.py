"""Calendars and policies of service as staff defines them; each version is in the audit log.

Tickets keep the versions that they were filed under, so that what was promised stays: a new one
holds for what is filed from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson

from domain import audit, tiers
from domain.audit import Actor, Target
from domain.errors import DefinitionChanged, InvalidInput
from domain.feedback.calendars import (
    ALWAYS,
    ServiceCalendar,
    calendar_from_json,
    calendar_to_json,
    check_calendar,
)
from domain.feedback.promises import (
    ServiceLevels,
    check_service_levels,
    levels_from_json,
    levels_to_json,
)
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, execute, fetch_all, fetch_one, transaction

_LAST: Final = 2**31 - 1
_CALENDARS: Final = "service_calendar"
_POLICIES: Final = "sla_policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedCalendar:
    """A version of the calendar, and when it was defined."""

    calendar: ServiceCalendar
    defined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedServiceLevels:
    """A version of the policy, and when it was defined."""

    levels: ServiceLevels
    defined_at: datetime


async def define_service_calendar(
    calendar: ServiceCalendar, *, by: Actor, now: datetime
) -> ServiceCalendar:
    """Define the version after `calendar.version`, 0 where there is none; the same stays as it is.

    Refused: InvalidInput, DefinitionChanged (somebody was faster).
    """
    check_calendar(calendar)

    async def work() -> ServiceCalendar:
        before = await service_calendar()
        _refuse_older(calendar.version, before.version)
        after = before
        if calendar_to_json(calendar) != calendar_to_json(before) or not before.version:
            after = replace(calendar, version=before.version + 1)
            await _keep(_CALENDARS, after.version, calendar_to_json(after), now=now)
        audit.record(
            by,
            "service_calendar.define",
            target=Target(kind="service_calendar", id=str(after.version)),
            before=calendar_to_json(before) if before.version else None,
            after=calendar_to_json(after),
            now=now,
        )
        return after

    return await transaction(work)


async def define_service_levels(
    levels: ServiceLevels, *, by: Actor, now: datetime
) -> ServiceLevels:
    """Define the version after `levels.version`, 0 where there is none; the same stays as it is.

    Refused: InvalidInput (also of topics and levels that there are not), DefinitionChanged.
    """
    check_service_levels(levels)

    async def work() -> ServiceLevels:
        before = await service_levels_in_force()
        _refuse_older(levels.version, before.version)
        after = before
        if levels_to_json(levels) != levels_to_json(before) or not before.version:
            await _refuse_unknown(levels)
            after = replace(levels, version=before.version + 1)
            await _keep(_POLICIES, after.version, levels_to_json(after), now=now)
        audit.record(
            by,
            "service_levels.define",
            target=Target(kind="service_levels", id=str(after.version)),
            before={"promises": levels_to_json(before)} if before.version else None,
            after={"promises": levels_to_json(after)},
            now=now,
        )
        return after

    return await transaction(work)


async def service_calendar() -> ServiceCalendar:
    """The newest version; ALWAYS, at version 0, while nobody has defined any."""
    row = await fetch_one(_newest(_CALENDARS))
    return ALWAYS if row is None else _calendar(row)


async def service_levels_in_force() -> ServiceLevels:
    """The newest version of the policy; without promises, at version 0, where there is none."""
    row = await fetch_one(_newest(_POLICIES))
    return ServiceLevels() if row is None else _levels(row)


async def calendars_at(versions: Collection[int | None]) -> dict[int | None, ServiceCalendar]:
    """The calendars of the versions, which exist; None is that of before there was any."""
    wanted = sorted({one for one in versions if one is not None})
    found: dict[int | None, ServiceCalendar] = {None: ALWAYS}
    if wanted:
        rows = await fetch_all(
            f"SELECT {_COLUMNS} FROM service_calendar WHERE version = ANY($1::int[])", wanted
        )
        found |= {row["version"]: _calendar(row) for row in rows}
    return found


async def defined_calendars(page: PageRequest) -> Page[DefinedCalendar]:
    """A page of the versions of the calendar, newest first, by the key (version,)."""
    found = [
        DefinedCalendar(calendar=_calendar(row), defined_at=row["defined_at"])
        for row in await _versions(_CALENDARS, page)
    ]
    return page_of(found, first=page.first, key=lambda one: (one.calendar.version,))


async def defined_service_levels(page: PageRequest) -> Page[DefinedServiceLevels]:
    """A page of the versions of the policy, newest first, by the key (version,)."""
    found = [
        DefinedServiceLevels(levels=_levels(row), defined_at=row["defined_at"])
        for row in await _versions(_POLICIES, page)
    ]
    return page_of(found, first=page.first, key=lambda one: (one.levels.version,))


_COLUMNS: Final = "version, definition, defined_at"


def _newest(table: str) -> str:
    return f"SELECT {_COLUMNS} FROM {table} ORDER BY version DESC LIMIT 1"


async def _versions(table: str, page: PageRequest) -> Sequence[Row]:
    return await fetch_all(
        f"SELECT {_COLUMNS} FROM {table} WHERE version < $1 ORDER BY version DESC LIMIT $2",
        *(page.after[0] if page.after else _LAST, page.limit),
    )


async def _keep(table: str, version: int, definition: Any, *, now: datetime) -> None:
    """Write the version; whoever wrote the same one at this moment lets the work begin anew."""
    await execute(
        f"INSERT INTO {table} (version, definition, defined_at) VALUES ($1, $2, $3)",
        *(version, orjson.dumps(definition).decode(), now),
    )


def _refuse_older(read_at: int, version: int) -> None:
    if read_at != version:
        raise DefinitionChanged(version=version, field=("version",))


async def _refuse_unknown(levels: ServiceLevels) -> None:
    rows = await fetch_all("SELECT code FROM feedback_topic")
    known = {
        "topic": {row["code"] for row in rows},
        "level": {one.code for one in await tiers.read_levels()},
    }
    for number, promise in enumerate(levels.promises):
        for name, codes in known.items():
            code = getattr(promise, name)
            if code is not None and code not in codes:
                field = ("promises", str(number), name)
                raise InvalidInput(field=field, rule=f"the code of a {name} that there is")


def _calendar(row: Row) -> ServiceCalendar:
    return calendar_from_json(row["version"], orjson.loads(row["definition"]))


def _levels(row: Row) -> ServiceLevels:
    return levels_from_json(row["version"], orjson.loads(row["definition"]))
