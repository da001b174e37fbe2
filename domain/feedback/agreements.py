"""What is agreed with a ticket about time: found once when it is filed, and frozen on it.

    agreement = await agreed(kind=kind, topic=topic, level="gold", service=service, now=now)

Its deadlines move with each pause, by the calendar that it was filed under (`sla.put_off`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from domain.feedback.calendars import ALWAYS, ServiceCalendar, calendar_from_json
from domain.feedback.defining_service import calendars_at
from domain.feedback.kinds import FeedbackKind
from domain.feedback.promises import levels_from_json, priority_of, promise_for
from domain.feedback.sla import due, is_open, next_opening
from domain.storage import fetch_one
from domain.tiers import ServiceLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What is promised to a ticket that is filed now.

    Versions are None where nobody had defined any. Points are paid once when the deadline passes.
    `priority` is from 1 to 4, 4 the most urgent. `off_hours` says that nobody is there now.
    """

    policy_version: int | None
    calendar_version: int | None
    answer_minutes: int | None
    resolve_minutes: int | None
    answer_points: int
    resolve_points: int
    answer_by: datetime | None
    resolve_by: datetime | None
    priority: int
    off_hours: bool


async def agreed(
    *, kind: FeedbackKind, topic: str, level: str, service: ServiceLevel, now: datetime
) -> Agreement:
    """What is promised to such a ticket of a member of the level. One statement.

    In the transaction that files the ticket: it is filed under the versions of that moment.
    """
    row = await fetch_one(_IN_FORCE)
    assert row is not None, "a row of values without a table"
    calendar, policy = ALWAYS, levels_from_json(0, ())
    if row["calendar_version"] is not None:
        calendar = calendar_from_json(row["calendar_version"], orjson.loads(row["calendar"]))
    if row["policy_version"] is not None:
        policy = levels_from_json(row["policy_version"], orjson.loads(row["policy"]))
    promise = promise_for(policy.promises, kind=kind, topic=topic, level=level)
    return Agreement(
        policy_version=row["policy_version"],
        calendar_version=row["calendar_version"],
        answer_minutes=promise.answer_minutes,
        resolve_minutes=promise.resolve_minutes,
        answer_points=promise.answer_points,
        resolve_points=promise.resolve_points,
        answer_by=_due(calendar, now, promise.answer_minutes),
        resolve_by=_due(calendar, now, promise.resolve_minutes),
        priority=priority_of(kind, service, promised=promise.priority),
        off_hours=not is_open(calendar.hours, now),
    )


def _due(calendar: ServiceCalendar, start: datetime, minutes: int | None) -> datetime | None:
    return None if minutes is None else due(calendar.hours, start, minutes=minutes)


async def back_at(calendar_version: int | None, submitted_at: datetime) -> datetime:
    """When somebody is there after a ticket that came off-hours, by the calendar's wall clock."""
    calendar = (await calendars_at([calendar_version]))[calendar_version]
    return next_opening(calendar.hours, submitted_at).astimezone(calendar.zone)


_IN_FORCE: Final = """
    SELECT c.version AS calendar_version, c.definition AS calendar,
           p.version AS policy_version, p.definition AS policy
    FROM (SELECT 1 AS one) AS o
    LEFT JOIN (SELECT version, definition FROM service_calendar
               ORDER BY version DESC LIMIT 1) AS c ON TRUE
    LEFT JOIN (SELECT version, definition FROM sla_policy
               ORDER BY version DESC LIMIT 1) AS p ON TRUE
"""
