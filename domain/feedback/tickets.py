"""Tickets as they are read: a member's own, one by its id, with the time that was promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain.feedback.kinds import FeedbackKind
from domain.feedback.rules import HELD, OVER, TextCheck, TicketChannel, TicketStatus
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, fetch_all, fetch_one

_END: Final = (datetime(9999, 12, 30, tzinfo=UTC), UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketSla:
    """What was agreed about a ticket's time when it was filed, and what became of it.

    `answer_by` and `resolve_by` are derived from the minutes, the calendar and the pauses; None
    where nothing is promised. While `paused` they may move. Breaches apart: each is true once and
    for ever. Versions are None where there was no policy, no calendar.
    """

    policy_version: int | None
    calendar_version: int | None
    answer_minutes: int | None
    resolve_minutes: int | None
    answer_by: datetime | None
    resolve_by: datetime | None
    answered_at: datetime | None
    resolved_at: datetime | None
    paused: bool
    answer_breached: bool
    resolve_breached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Satisfaction:
    """What a member says of how they were served, 1 to 5, beside what they had expected.

    `check` is what became of the check of the text; None without one.
    """

    experience: int
    expectation: int | None
    text: str | None
    check: TextCheck | None
    rated_at: datetime

    @property
    def held(self) -> bool:
        """Whether only who wrote the text may read it."""
        return self.check in HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A matter of a member, from whatever channel. Priority 4 is the most urgent."""

    member_id: UUID
    id: UUID
    serial: int
    kind: FeedbackKind
    topic_code: str
    channel: TicketChannel
    status: TicketStatus
    priority: int
    purchase_id: UUID | None
    submitted_at: datetime
    last_message_at: datetime
    assignee_id: UUID | None
    cause_code: str | None
    merged_into: UUID | None
    due_at: datetime
    off_hours: bool
    closed_at: datetime | None
    reopened: int
    version: int
    sla: TicketSla
    satisfaction: Satisfaction | None

    @property
    def number(self) -> str:
        """What people call it."""
        return f"T-{self.serial:06}"

    @property
    def over(self) -> bool:
        """Whether nothing becomes of it any more."""
        return self.status in OVER


CAME_WITH: Final = "(SELECT came_with FROM ticket WHERE member_id = $1 AND id = $2)"
"""The merge that brought ticket $2 to member $1: whatever hangs on it goes back with it, too."""

_SAID: Final = "(SELECT m.{0} FROM ticket_message AS m WHERE m.id = rating_message) AS rating_{0}"

TICKET_COLUMNS: Final = (
    "member_id, id, number, kind, topic, channel, status, priority, purchase_id, submitted_at,"
    " last_message_at, assignee, cause, merged_into, policy_version, calendar_version,"
    " answer_minutes, resolve_minutes, answer_by, resolve_by, due_at, answered_at, resolved_at,"
    " paused_at, off_hours, answer_breached_at, resolve_breached_at, closed_at, reopened,"
    f" experience, expectation, {_SAID.format('text')}, {_SAID.format('text_check')}, rated_at,"
    " version"
)


async def tickets_of(member_id: UUID, page: PageRequest) -> Page[Ticket]:
    """A page of the member's tickets, newest first, by the key (submitted_at, id)."""
    rows = await fetch_all(
        f"SELECT {TICKET_COLUMNS} FROM ticket"
        " WHERE member_id = $1 AND (submitted_at, id) < ($2, $3)"
        " ORDER BY submitted_at DESC, id DESC LIMIT $4",
        *(member_id, *(page.after or _END), page.limit),
    )
    found = [ticket_of(row) for row in rows]
    return page_of(found, first=page.first, key=lambda one: (one.submitted_at, one.id))


async def own_ticket(member_id: UUID, *, ticket_id: UUID) -> Ticket | None:
    """One ticket of the member, or None."""
    found = await find_ticket(ticket_id)
    return found if found is not None and found.member_id == member_id else None


async def find_ticket(ticket_id: UUID, *, lock: bool = False) -> Ticket | None:
    """The ticket with this id, whoever's it is; locked until the caller's transaction ends.

    Whoever locks it has locked its member.
    """
    locking = " FOR NO KEY UPDATE" if lock else ""
    row = await fetch_one(f"SELECT {TICKET_COLUMNS} FROM ticket WHERE id = $1{locking}", ticket_id)
    return None if row is None else ticket_of(row)


def ticket_of(row: Row) -> Ticket:
    """The ticket in a row that has TICKET_COLUMNS."""
    return Ticket(
        member_id=row["member_id"],
        id=row["id"],
        serial=row["number"],
        kind=FeedbackKind(row["kind"]),
        topic_code=row["topic"],
        channel=TicketChannel(row["channel"]),
        status=TicketStatus(row["status"]),
        priority=row["priority"],
        purchase_id=row["purchase_id"],
        submitted_at=row["submitted_at"],
        last_message_at=row["last_message_at"],
        assignee_id=row["assignee"],
        cause_code=row["cause"],
        merged_into=row["merged_into"],
        due_at=row["due_at"],
        off_hours=row["off_hours"],
        closed_at=row["closed_at"],
        reopened=row["reopened"],
        version=row["version"],
        sla=_sla(row),
        satisfaction=_satisfaction(row),
    )


def _sla(row: Row) -> TicketSla:
    names = (
        "policy_version",
        "calendar_version",
        "answer_minutes",
        "resolve_minutes",
        "answer_by",
        "resolve_by",
        "answered_at",
        "resolved_at",
    )
    return TicketSla(
        **{name: row[name] for name in names},
        paused=row["paused_at"] is not None,
        answer_breached=row["answer_breached_at"] is not None,
        resolve_breached=row["resolve_breached_at"] is not None,
    )


def _satisfaction(row: Row) -> Satisfaction | None:
    if row["experience"] is None:
        return None
    return Satisfaction(
        experience=row["experience"],
        expectation=row["expectation"],
        text=row["rating_text"],
        check=None if row["rating_text_check"] is None else TextCheck(row["rating_text_check"]),
        rated_at=row["rated_at"],
    )
