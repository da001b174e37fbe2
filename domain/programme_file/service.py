"""When service is there and what it promises, as a programme's file says it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from domain.errors import InvalidInput
from domain.feedback import (
    ALWAYS,
    WEEKDAYS,
    FeedbackKind,
    Hours,
    Promise,
    ServiceCalendar,
    ServiceLevels,
    calendar_flaws,
    hours_of,
    service_levels_flaws,
    text_of,
)
from domain.program import zone_of
from domain.programme_file.fields import FieldsReader

DAYS: Final = tuple(day.lower() for day in WEEKDAYS)
CLOSED: Final = "closed"
PROMISES: Final = "service_levels"


def calendar_document(calendar: ServiceCalendar) -> dict[str, Any]:
    """The calendar as plain values: hours as texts, days on which it is closed left out."""
    document: dict[str, Any] = {
        "time_zone": calendar.zone.key,
        "week": {
            day: _text(hours) for day, hours in zip(DAYS, calendar.week, strict=True) if hours
        },
    }
    if calendar.exceptions:
        document["exceptions"] = {
            day.isoformat(): _text(hours) for day, hours in sorted(calendar.exceptions.items())
        }
    return document


def levels_document(levels: ServiceLevels) -> list[dict[str, Any]]:
    """The promises as plain values, without what they do not say."""
    return [_promise_document(one) for one in levels.promises]


def read_calendar(fields: FieldsReader | None) -> ServiceCalendar | None:
    """The calendar of a file; what is wrong is noted."""
    if fields is None:
        return None
    zone = ALWAYS.zone
    try:
        zone = zone_of(fields.text("time_zone"))
    except InvalidInput as wrong:
        fields.note_flaws([wrong])
    exceptions = {
        day: _hours(fields, f"exceptions.{name}", text)
        for name, text in fields.texts("exceptions").items()
        if (day := _day(fields, name)) is not None
    }
    calendar = ServiceCalendar(zone=zone, week=_week(fields), exceptions=exceptions)
    days = list(calendar.exceptions)
    for flaw in calendar_flaws(calendar):
        fields.note(_place(flaw, days), flaw.rule)
    fields.end()
    return calendar


def read_levels(top: FieldsReader, items: Sequence[FieldsReader]) -> ServiceLevels | None:
    """The policy of a file, None where it says none; what is wrong is noted."""
    if not items:
        return None
    levels = ServiceLevels(promises=[_read_promise(one) for one in items])
    for flaw in service_levels_flaws(levels):
        top.note(promise_place(flaw), flaw.rule)
    return levels


def promise_place(flaw: InvalidInput) -> str:
    """Where in the file stands what breaks a rule of promises: `service_levels[2].topic`."""
    _, *rest = flaw.field or ("promises",)
    if not rest:
        return PROMISES
    number, *names = rest
    return ".".join([f"{PROMISES}[{number}]", *names])


def _week(fields: FieldsReader) -> Sequence[Sequence[Hours]]:
    week = fields.within("week")
    if week is None:
        fields.note("week", "needed")
        return ALWAYS.week
    hours = [_hours(fields, f"week.{day}", week.text(day, default=CLOSED)) for day in DAYS]
    week.end()
    return hours


def _read_promise(fields: FieldsReader) -> Promise:
    kinds = list(FeedbackKind)
    promise = Promise(
        kind=FeedbackKind(fields.choice("kind", kinds)) if fields.has("kind") else None,
        topic=fields.text_or_none("topic"),
        level=fields.text_or_none("level"),
        answer_minutes=fields.whole_or_none("answer_minutes"),
        resolve_minutes=fields.whole_or_none("resolve_minutes"),
        answer_points=fields.whole("answer_points", default=0),
        resolve_points=fields.whole("resolve_points", default=0),
        priority=fields.whole_or_none("priority"),
    )
    fields.end()
    return promise


def _promise_document(promise: Promise) -> dict[str, Any]:
    said = {name: getattr(promise, name) for name in Promise.__slots__}
    if promise.kind is not None:
        said["kind"] = promise.kind.value
    return {name: value for name, value in said.items() if value not in (None, 0)}


def _text(hours: Sequence[Hours]) -> str:
    return ", ".join(map(text_of, hours)) or CLOSED


def _hours(fields: FieldsReader, name: str, text: str) -> Sequence[Hours]:
    if text == CLOSED:
        return ()
    try:
        return hours_of([one.strip() for one in text.split(",")], field=())
    except InvalidInput:
        fields.note(name, f"hours such as 09:00-12:00, 13:00-18:00, or `{CLOSED}`")
        return ()


def _day(fields: FieldsReader, name: str) -> date | None:
    try:
        if len(name) == len("2026-10-01"):
            return date.fromisoformat(name)
    except ValueError:
        pass
    fields.note(f"exceptions.{name}", "a day, such as 2026-10-01")
    return None


def _place(flaw: InvalidInput, days: Sequence[date]) -> str:
    """Where in the file stands what breaks a rule of calendars: `week.monday`."""
    match flaw.field:
        case ("week", number):
            return f"week.{DAYS[int(number)]}"
        case ("exceptions", number):
            return f"exceptions.{days[int(number)].isoformat()}"
    return ".".join(flaw.field or ())
