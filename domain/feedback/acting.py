"""An act on a ticket: what it is done to is locked, then the act is written and told.

The order of locks is that of all contexts: the member, then the ticket, then the counter of
tickets; the streams of events and the audit log come last by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from domain import audit, members
from domain.audit import Actor, Target
from domain.errors import TicketNotOpen, TicketUnknown
from domain.feedback.defining_service import calendars_at
from domain.feedback.rules import (
    NO_DEADLINE,
    OVER,
    STANDING_STILL,
    Act,
    Author,
    TicketStatus,
    becomes,
    due_next,
    pauses_of,
)
from domain.feedback.sla import put_off, working_minutes
from domain.feedback.tickets import CAME_WITH, Ticket, find_ticket
from domain.outbox import Event, announce
from domain.storage import execute, fetch_all

_FIELD: Final = ("ticket_id",)

UNTOLD: Final = frozenset({Act.ASSIGNED, Act.NOTED})
"""What is a matter of staff alone: the member's stream tells nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who acts. `account_id` is that of a member of staff, None for the member and for jobs."""

    author: Author
    account_id: UUID | None = None


MEMBER: Final = By(author=Author.MEMBER)
SYSTEM: Final = By(author=Author.SYSTEM)


def staff_by(actor: Actor) -> By:
    """The member of staff who acts."""
    return By(author=Author.STAFF, account_id=actor.account_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is written of an act. `values` are columns of the ticket that it sets besides.

    `facts` are kept with the event: plain JSON values, never a text that somebody wrote.
    `spoken` says that something was said.
    """

    act: Act
    by: By
    spoken: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


async def lock_own(member_id: UUID, ticket_id: UUID, *, named: tuple[str, ...] = _FIELD) -> Ticket:
    """The ticket of the member, who is locked; locked too. Refused: TicketUnknown."""
    found = await find_ticket(ticket_id, lock=True)
    if found is None or found.member_id != member_id:
        raise TicketUnknown(field=named)
    return found


async def lock_any(ticket_id: UUID, *, named: tuple[str, ...] = _FIELD) -> Ticket:
    """The ticket with this id, and its member, locked for staff. Refused: TicketUnknown."""

    async def look() -> Ticket | None:
        return await find_ticket(ticket_id)

    seen = await members.lock_found(look, lambda one: [] if one is None else [one.member_id])
    if seen is None:
        raise TicketUnknown(field=named)
    return await lock_own(seen.member_id, ticket_id, named=named)


async def take(ticket: Ticket, step: Step, *, now: datetime) -> Ticket:
    """Write the act, with what it means for the time that was promised, and tell it.

    The ticket as it is then. Refused: TicketNotOpen, where the act cannot be done to it.
    """
    status = becomes(ticket.status, step.act)
    if status is None:
        raise TicketNotOpen(state=ticket.status.value, field=_FIELD)
    await write_event(ticket, step, status, now=now)
    values = {
        **await _time(ticket, status, answered=_answers(ticket, step), now=now),
        **({"last_message_at": now} if step.spoken else {}),
        **step.values,
        "status": status.value,
        "version": ticket.version + 1,
    }
    values |= await _took(ticket, values["answered_at"], values["resolved_at"])
    sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, 3))
    await execute(
        f"UPDATE ticket SET {sets} WHERE member_id = $1 AND id = $2",
        *(ticket.member_id, ticket.id, *values.values()),
    )
    made = await find_ticket(ticket.id)
    assert made is not None, "its row is locked"
    # Another cause of what is resolved already is a matter of staff alone.
    is_news = ticket.status is not TicketStatus.RESOLVED or step.act is not Act.RESOLVED
    if is_news or step.spoken:
        await tell(made, step.act, now=now)
    return made


async def write_event(ticket: Ticket, step: Step, status: TicketStatus, *, now: datetime) -> None:
    """Number the act among those of its ticket, which is locked."""
    await execute(
        "INSERT INTO ticket_event"
        " (member_id, ticket_id, seq, at, kind, actor_kind, actor_id, facts, came_with)"
        f" SELECT $1, $2, COALESCE(MAX(seq), 0) + 1, $3, $4, $5, $6, $7, {CAME_WITH}"
        " FROM ticket_event WHERE member_id = $1 AND ticket_id = $2",
        *(ticket.member_id, ticket.id, now, step.act.value, step.by.author.value),
        step.by.account_id,
        orjson.dumps({"status": status.value, **step.facts}).decode(),
    )


async def tell(ticket: Ticket, act: Act, *, now: datetime) -> None:
    """Tell those who follow the member's stream, unless it is a matter of staff alone."""
    if act in UNTOLD:
        return
    facts = {
        "ticket": str(ticket.id),
        "number": ticket.number,
        "act": act.value,
        "status": ticket.status.value,
        "kind": ticket.kind.value,
        "topic": ticket.topic_code,
        "channel": ticket.channel.value,
    }
    event = Event(kind="TicketUpdated", member_id=ticket.member_id, facts=facts)
    await announce([event], now=now)


def note_in_log(by: Actor, action: str, ticket: Ticket, *, now: datetime, **facts: object) -> None:
    """Tell the audit log of what staff did to the ticket: codes and ids, nobody's words."""
    audit.record(
        by,
        action,
        target=Target(kind="member", id=str(ticket.member_id)),
        before={"status": ticket.status.value},
        after={"ticket": str(ticket.id), **facts},
        now=now,
    )


async def stands_since(ticket: Ticket) -> datetime:
    """When it came to stand as it does; the act that ends it may be written already."""
    since = ticket.submitted_at
    before: TicketStatus | None = None
    for at, status in await _steps(ticket):
        if status is ticket.status and status is not before:
            since = at
        before = status
    return since


def _answers(ticket: Ticket, step: Step) -> bool:
    """Whether the act is our first word: what the promise of an answer is about."""
    return (
        ticket.sla.answered_at is None
        and step.by.author is Author.STAFF
        and step.act in {Act.ANSWERED, Act.ASKED, Act.RESOLVED}
    )


async def _time(
    ticket: Ticket, status: TicketStatus, *, answered: bool, now: datetime
) -> dict[str, Any]:
    """The columns of a ticket that tell of time, as they are after it came to stand so."""
    answered_at = now if answered else ticket.sla.answered_at
    resolved_at = ticket.sla.resolved_at
    if status is TicketStatus.RESOLVED:
        resolved_at = resolved_at or now
    elif status not in OVER:
        resolved_at = None
    values: dict[str, Any] = {"answered_at": answered_at, "resolved_at": resolved_at}
    waits = status is TicketStatus.WAITING_FOR_MEMBER
    values["paused_at"] = await _since(ticket, now=now) if waits else None
    values["closed_at"] = now if status in OVER else None
    if status in OVER:
        return {**values, "due_at": NO_DEADLINE}
    answer_by, resolve_by = ticket.sla.answer_by, ticket.sla.resolve_by
    # Also what is resolved straight out of a pause has had the time that it waited; what stands
    # as it stood has no new deadline.
    if ticket.status in STANDING_STILL and status is not ticket.status:
        answer_by, resolve_by = await _moved(ticket, now=now)
    due = due_next(answer_by if answered_at is None else None, resolve_by)
    return {
        **values,
        "answer_by": answer_by,
        "resolve_by": resolve_by,
        "due_at": NO_DEADLINE if status in STANDING_STILL else due,
    }


async def _took(
    ticket: Ticket, answered_at: datetime | None, resolved_at: datetime | None
) -> dict[str, int | None]:
    """How many minutes that count it took us, where that is new; pauses are nobody's time."""
    then = {"answer_took": answered_at, "resolve_took": resolved_at}
    before = {"answer_took": ticket.sla.answered_at, "resolve_took": ticket.sla.resolved_at}
    new = {name: at for name, at in then.items() if at != before[name]}
    if not any(new.values()):
        return dict.fromkeys(new)
    version = ticket.sla.calendar_version
    hours = (await calendars_at([version]))[version].hours
    pauses = pauses_of(await _steps(ticket))
    return {
        name: None if at is None else working_minutes(hours, ticket.submitted_at, at, pauses=pauses)
        for name, at in new.items()
    }


async def _moved(ticket: Ticket, *, now: datetime) -> tuple[datetime | None, datetime | None]:
    """The deadlines after a pause that ends now; one that is missed or met stays."""
    sla = ticket.sla
    since = await stands_since(ticket)
    hours = (await calendars_at([sla.calendar_version]))[sla.calendar_version].hours

    def moved(by: datetime | None) -> datetime | None:
        return None if by is None else put_off(hours, by, since=since, until=now)

    answer_by = sla.answer_by if sla.answered_at else moved(sla.answer_by)
    return answer_by, sla.resolve_by if sla.resolve_breached else moved(sla.resolve_by)


async def _since(ticket: Ticket, *, now: datetime) -> datetime:
    """Since when it waits for the member: asked again, it has waited from the first time on."""
    if ticket.status is not TicketStatus.WAITING_FOR_MEMBER:
        return now
    return next(pause.since for pause in pauses_of(await _steps(ticket)) if pause.until is None)


async def _steps(ticket: Ticket) -> list[tuple[datetime, TicketStatus]]:
    rows = await fetch_all(
        "SELECT at, facts FROM ticket_event WHERE member_id = $1 AND ticket_id = $2 ORDER BY seq",
        *(ticket.member_id, ticket.id),
    )
    return [
        (row["at"], TicketStatus(orjson.loads(row["facts"])["status"]))
        for row in rows
        if "status" in orjson.loads(row["facts"])
    ]
