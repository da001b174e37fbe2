"""Tickets of a member: what they tell us, what we answer, and how they were served."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import strawberry

from domain import feedback
from domain.feedback import TicketChannel, TicketStatus
from domain.members import UNCHANGED
from resolvers import tickets as resolvers
from resolvers.tickets import TicketRecord
from schema.connections import After, Connection, First, KeysetList
from schema.feedback_kinds import FeedbackKind
from schema.fields import Info, computed, input_type, object_type, view
from schema.mutations import Payload, mutation
from schema.node import Node, decode_own_uuid, decode_uuid, encode_global_id, node_type
from schema.off_hours import off_hours_notice
from schema.policies import OWNER
from schema.ticket_parts import (
    MESSAGES,
    TOGETHER,
    FeedbackTopic,
    TicketMessage,
    TicketSatisfaction,
    TicketSla,
)

TICKETS: Final = KeysetList("tickets", (datetime, UUID))


@node_type(policy=OWNER, key="id", load=resolvers.ticket_node, reads=TicketRecord)
class Ticket(Node):
    """A matter of the member: a question, a complaint, a loss, a suggestion, praise."""

    number: str
    """What people call it, for example `T-000123`."""

    kind: FeedbackKind
    """What the member wants with it."""

    channel: TicketChannel
    """How it reached us."""

    status: TicketStatus
    """Where it stands."""

    priority: int
    """How urgent it is, from 1 to 4, the most urgent."""

    submitted_at: datetime
    """When it was filed."""

    last_message_at: datetime
    """When something was said last."""

    sla: TicketSla
    """What was promised about its time, and what became of it."""

    satisfaction: TicketSatisfaction | None
    """How the member was served, as they say; null until they do."""

    @computed(OWNER, cost=TOGETHER, versioned=True)
    async def topic(self) -> FeedbackTopic | None:
        """What it is about."""
        topic: FeedbackTopic = view(await _record(self).topic())
        return topic

    @computed(OWNER)
    def order_id(self) -> strawberry.ID | None:
        """The order that it is about, a `Purchase`; null where it is about none."""
        record = _record(self)
        if record.purchase_id is None:
            return None
        return encode_global_id("Purchase", f"{record.member_id}:{record.purchase_id}")

    @computed(OWNER)
    def merged_into_id(self) -> strawberry.ID | None:
        """The ticket in which this one is told on; null where it stands for itself."""
        into = _record(self).merged_into
        return None if into is None else encode_global_id("Ticket", into)

    @computed(OWNER, cost=TOGETHER, versioned=True)
    async def off_hours_notice(self, info: Info) -> str | None:
        """That nobody was there when it was filed, and from when on we are; null otherwise."""
        back = await _record(self).back_at()
        if back is None:
            return None
        submitted_at = _record(self).submitted_at
        return off_hours_notice(back, submitted_at=submitted_at, language=info.context.language)

    @computed(OWNER, cost=TOGETHER, versioned=True)
    async def messages(
        self, first: First = 20, after: After = None
    ) -> Connection[TicketMessage] | None:
        """What was said, oldest first; also in tickets that were merged into this one."""
        request = MESSAGES.request(first=first, after=after)
        return MESSAGES.connection(await _record(self).messages(request), request)


def _record(value: object) -> TicketRecord:
    record: TicketRecord = view(value)
    return record


@input_type()
class SubmitFeedbackInput:
    """What the member wants to tell us."""

    kind: FeedbackKind
    """What they want with it."""

    topic: str
    """What it is about: a code of `feedbackTopics`."""

    text: str
    """1 to 10,000 characters; it may have several lines."""

    attachment_ids: list[strawberry.ID] | None = None
    """Files that were sent to `/upload` before, at most 9."""

    order_id: strawberry.ID | None = None
    """The order that it is about, a `Purchase` of the member's."""

    channel: TicketChannel | None = None
    """`MINI_PROGRAM`, as it is without one, or `APP`."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class ReplyTicketInput:
    """What the member says more."""

    ticket_id: strawberry.ID
    """In which ticket."""

    text: str
    """1 to 10,000 characters; it may have several lines."""

    attachment_ids: list[strawberry.ID] | None = None
    """Files that were sent to `/upload` before, at most 9."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class RateTicketInput:
    """How the member was served."""

    ticket_id: strawberry.ID
    """In which ticket."""

    experience: int
    """How it was, 1 to 5."""

    expectation: int | None = strawberry.UNSET
    """What the member had expected, 1 to 5; left out it stays as it was said before."""

    text: str | None = strawberry.UNSET
    """In the member's words, 1 to 2,000 characters; left out it stays as it was said before."""


@object_type(policy=OWNER)
class SubmitFeedbackPayload(Payload):
    """What telling us something led to."""

    ticket: Ticket | None = None
    """The ticket; null when it was refused."""


@object_type(policy=OWNER)
class ReplyTicketPayload(Payload):
    """What saying more led to."""

    ticket: Ticket | None = None
    """The ticket; null when it was refused."""


@object_type(policy=OWNER)
class RateTicketPayload(Payload):
    """What rating led to."""

    ticket: Ticket | None = None
    """The ticket; null when it was refused."""


@mutation(OWNER)
async def submit_feedback(info: Info, input: SubmitFeedbackInput) -> SubmitFeedbackPayload:
    """Tell us something: a question, a complaint, a loss, a suggestion, praise."""
    order = None
    if input.order_id is not None:
        order = decode_own_uuid(input.order_id, "Purchase")
    command = feedback.SubmitFeedback(
        member_id=info.context.require_member(),
        kind=input.kind,
        topic=input.topic,
        text=input.text,
        attachment_ids=decode_files(input.attachment_ids),
        order=order,
        channel=input.channel or TicketChannel.MINI_PROGRAM,
        idempotency_key=input.idempotency_key,
    )
    ticket: Ticket = view(await resolvers.submit_feedback(info.context, command))
    return SubmitFeedbackPayload(ticket=ticket)


@mutation(OWNER)
async def reply_ticket(info: Info, input: ReplyTicketInput) -> ReplyTicketPayload:
    """Say more in a ticket; one that was resolved is opened again by it, for a week."""
    command = feedback.ReplyTicket(
        member_id=info.context.require_member(),
        ticket_id=decode_uuid(input.ticket_id, "Ticket"),
        text=input.text,
        attachment_ids=decode_files(input.attachment_ids),
        idempotency_key=input.idempotency_key,
    )
    ticket: Ticket = view(await resolvers.reply_ticket(info.context, command))
    return ReplyTicketPayload(ticket=ticket)


@mutation(OWNER)
async def rate_ticket(info: Info, input: RateTicketInput) -> RateTicketPayload:
    """Say how one was served, or say it anew until the ticket is closed."""
    command = feedback.RateTicket(
        member_id=info.context.require_member(),
        ticket_id=decode_uuid(input.ticket_id, "Ticket"),
        experience=input.experience,
        expectation=_change(input.expectation),
        text=_change(input.text),
    )
    ticket: Ticket = view(await resolvers.rate_ticket(info.context, command))
    return RateTicketPayload(ticket=ticket)


async def feedback_topics() -> list[FeedbackTopic]:
    """What feedback may be about, by code."""
    topics: list[FeedbackTopic] = view(await resolvers.topics())
    return topics


def _change(value: Any) -> Any:
    return UNCHANGED if value is strawberry.UNSET else value


def decode_files(ids: list[strawberry.ID] | None) -> list[UUID]:
    """The files that are sent along. Raises CodedError for a text that is no file's id."""
    return [decode_uuid(one, "Attachment") for one in ids or []]
