"""Tickets: of the member who asks, and as staff sees them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import access, feedback, members
from domain.access import Account, CallerKind
from domain.feedback import (
    Author,
    Cause,
    QueueOf,
    RateTicket,
    ReplyTicket,
    SubmitFeedback,
    Ticket,
    TicketMessage,
    Topic,
)
from domain.members import Member
from domain.outbox import Announced
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.once import Once


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord(TicketMessage):
    """What was said, as it may be read: of what is held staff see neither text nor pictures."""

    text: str | None
    together: Sequence[UUID] = ()
    once: Once = field(default_factory=Once, compare=False)

    async def attachments(self) -> Sequence[feedback.Attachment] | None:
        """The files that came with it, None where they are held; read once for the whole page."""
        if self.text is None:
            return None
        found = await self.once.read("attachments", lambda: feedback.attachments_of(self.together))
        return found.get(self.id, [])


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRecord(Ticket):
    """A ticket with those that were read with it, whose messages are read together."""

    together: Sequence[UUID] = ()
    for_staff: bool = False
    once: Once = field(default_factory=Once, compare=False)

    async def messages(self, page: PageRequest) -> Page[MessageRecord]:
        """A page of what was said in it, oldest first."""
        found = await self.once.read(
            f"messages {page}",
            lambda: feedback.conversations(self.together, page, for_staff=self.for_staff),
        )
        return self._shown(found[self.id])

    async def topic(self) -> Topic:
        """What it is about."""
        found = await self.once.read("topics", _topics)
        return found[self.topic_code]

    async def cause(self) -> Cause | None:
        """What it came from, once staff has found it."""
        if self.cause_code is None:
            return None
        return (await self.once.read("causes", _causes))[self.cause_code]

    async def assignee(self) -> Account | None:
        """Who of staff has it in hand."""
        if self.assignee_id is None:
            return None
        return (await self.once.read("accounts", _accounts)).get(self.assignee_id)

    async def back_at(self) -> datetime | None:
        """When somebody is there who writes off-hours, by the shop's wall clock; else None."""
        if not self.off_hours or self.sla.answered_at is not None or self.over:
            return None
        return await feedback.back_at(self.sla.calendar_version, self.submitted_at)

    def _shown(self, page: Page[TicketMessage]) -> Page[MessageRecord]:
        together, once = [one.id for one in page.items], Once()
        shown = [
            MessageRecord(
                **_values(one, TicketMessage),
                text=None if self._is_covered(one) else one.written,
                together=together,
                once=once,
            )
            for one in page.items
        ]
        return Page(items=shown, keys=page.keys, has_next=page.has_next)

    def _is_covered(self, message: TicketMessage) -> bool:
        return self.for_staff and message.author is Author.MEMBER and message.held


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffTicketRecord(TicketRecord):
    """A ticket as staff sees it, whose members are read together, too."""

    people: Sequence[UUID] = ()

    async def member(self) -> Member | None:
        """Whose ticket it is; None where they were erased."""
        found = await self.once.read("members", lambda: members.members_by_ids(self.people))
        return found.get(self.member_id)


def _values(one: Any, kind: type) -> dict[str, Any]:
    return {each.name: getattr(one, each.name) for each in fields(kind)}


def _records(found: Sequence[Ticket]) -> list[TicketRecord]:
    together, once = [one.id for one in found], Once()
    return [TicketRecord(**_values(one, Ticket), together=together, once=once) for one in found]


def _for_staff(found: Sequence[Ticket]) -> list[StaffTicketRecord]:
    together, once = [one.id for one in found], Once()
    people = sorted({one.member_id for one in found})
    return [
        StaffTicketRecord(
            **_values(_covered(one), Ticket),
            together=together,
            for_staff=True,
            once=once,
            people=people,
        )
        for one in found
    ]


def _covered(ticket: Ticket) -> Ticket:
    """The ticket without the words of its rating, while they are held."""
    said = ticket.satisfaction
    if said is None or not said.held:
        return ticket
    return replace(ticket, satisfaction=replace(said, text=None))


def staff_records(found: Sequence[Ticket]) -> list[StaffTicketRecord]:
    """The tickets as staff sees them; what they are made of is read for all of them together."""
    return _for_staff(found)


async def _topics() -> Mapping[str, Topic]:
    return {one.code: one for one in await feedback.topics(all_of_them=True)}


async def _causes() -> Mapping[str, Cause]:
    return {one.code: one for one in await feedback.causes(all_of_them=True)}


async def _accounts() -> Mapping[UUID, Account]:
    return {one.id: one for one in await access.accounts([CallerKind.STAFF])}


async def topics() -> Sequence[Topic]:
    """What feedback may be about."""
    return await feedback.topics()


async def causes() -> Sequence[Cause]:
    """What something may come from."""
    return await feedback.causes()


async def tickets(member_id: UUID, page: PageRequest) -> Page[TicketRecord]:
    """A page of the member's tickets, newest first."""
    found = await feedback.tickets_of(member_id, page)
    return Page(items=_records(found.items), keys=found.keys, has_next=found.has_next)


async def ticket_node(context: RequestContext, ticket_id: UUID) -> TicketRecord | None:
    """The ticket with this id, when it is the caller's own."""
    mine = context.member_id
    found = None if mine is None else await feedback.own_ticket(mine, ticket_id=ticket_id)
    return None if found is None else _records([found])[0]


async def submit_feedback(context: RequestContext, command: SubmitFeedback) -> TicketRecord:
    """File a ticket."""
    return _records([await feedback.submit_feedback(command, now=context.now)])[0]


async def reply_ticket(context: RequestContext, command: ReplyTicket) -> TicketRecord:
    """Say more in a ticket."""
    return _records([await feedback.reply_ticket(command, now=context.now)])[0]


async def rate_ticket(context: RequestContext, command: RateTicket) -> TicketRecord:
    """Say how one was served."""
    return _records([await feedback.rate_ticket(command, now=context.now)])[0]


async def follow_ticket(
    events: AsyncGenerator[Announced, None], ticket_id: UUID
) -> AsyncGenerator[Announced, None]:
    """Those of the events that are about this ticket."""
    async with aclosing(events):
        async for event in events:
            if event.facts["ticket"] == str(ticket_id):
                yield event


async def queue(
    context: RequestContext, page: PageRequest, *, of: QueueOf
) -> Page[StaffTicketRecord]:
    """A page of the queue of staff; the look is recorded."""
    found = await feedback.ticket_queue(page, of=of, by=context.actor(), now=context.now)
    return Page(items=_for_staff(found.items), keys=found.keys, has_next=found.has_next)


async def looked_up(context: RequestContext, ticket_id: UUID) -> StaffTicketRecord | None:
    """One ticket, as staff sees it; the look is recorded."""
    found = await feedback.looked_up(ticket_id, by=context.actor(), now=context.now)
    return None if found is None else _for_staff([found])[0]


async def answer_ticket(
    context: RequestContext, command: feedback.AnswerTicket
) -> StaffTicketRecord:
    """Answer the member, who is told of it."""
    made = await feedback.answer_ticket(command, by=context.actor(), now=context.now)
    return _for_staff([made])[0]


async def ask_member(context: RequestContext, command: feedback.AskMember) -> StaffTicketRecord:
    """Ask the member something; the promised time stands still until they reply."""
    made = await feedback.ask_member(command, by=context.actor(), now=context.now)
    return _for_staff([made])[0]


async def note_ticket(context: RequestContext, command: feedback.NoteTicket) -> StaffTicketRecord:
    """Note something in a ticket, for staff alone."""
    made = await feedback.note_ticket(command, by=context.actor(), now=context.now)
    return _for_staff([made])[0]


async def resolve_ticket(
    context: RequestContext, command: feedback.ResolveTicket
) -> StaffTicketRecord:
    """Say that a matter is done and what it came from; the member is told."""
    made = await feedback.resolve_ticket(command, by=context.actor(), now=context.now)
    return _for_staff([made])[0]


async def assign_ticket(
    context: RequestContext, command: feedback.AssignTicket
) -> StaffTicketRecord:
    """Say who of staff has a ticket in hand."""
    made = await feedback.assign_ticket(command, by=context.actor(), now=context.now)
    return _for_staff([made])[0]


async def reopen_ticket(
    context: RequestContext, command: feedback.ReopenTicket
) -> StaffTicketRecord:
    """Open a resolved ticket again."""
    made = await feedback.reopen_ticket(command, by=context.actor(), now=context.now)
    return _for_staff([made])[0]


async def merge_tickets(
    context: RequestContext, command: feedback.MergeTickets
) -> StaffTicketRecord:
    """Tell duplicates on in one ticket, in which their messages stand then."""
    made = await feedback.merge_tickets(command, by=context.actor(), now=context.now)
    return _for_staff([made])[0]


async def open_ticket(context: RequestContext, command: feedback.OpenTicket) -> StaffTicketRecord:
    """File a ticket for a member."""
    made = await feedback.open_ticket(command, by=context.actor(), now=context.now)
    return _for_staff([made])[0]


async def define_topic(context: RequestContext, topic: Topic) -> Topic:
    """Define a topic, or change it."""
    return await feedback.define_topic(topic, by=context.actor(), now=context.now)


async def define_cause(context: RequestContext, cause: Cause) -> Cause:
    """Define a cause, or change it."""
    return await feedback.define_cause(cause, by=context.actor(), now=context.now)


async def all_topics() -> Sequence[Topic]:
    """All topics, also those that are offered no more."""
    return await feedback.topics(all_of_them=True)


async def all_causes() -> Sequence[Cause]:
    """All causes, also those that are in use no more."""
    return await feedback.causes(all_of_them=True)
