"""Tickets as staff serves them: the queue, and what is done to a ticket."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import strawberry

from domain import members
from domain.access import Account
from domain.feedback import OPEN_STATES, QueueOf, TicketChannel, TicketStatus
from resolvers.tickets import StaffTicketRecord
from schema.connections import After, Connection, First, KeysetList
from schema.feedback_kinds import FeedbackKind
from schema.fields import argument, computed, input_type, object_type, view
from schema.node import decode_uuid, encode_global_id
from schema.ticket_parts import (
    MESSAGES,
    SERVES,
    TOGETHER,
    FeedbackCause,
    FeedbackTopic,
    TicketMessage,
    TicketSatisfaction,
    TicketSla,
)

TICKET_QUEUE: Final = KeysetList("ticket-queue", (int, datetime, UUID))

Statuses: TypeAlias = Annotated[
    list[TicketStatus] | None, argument("Only those that stand so; all that are not done without.")
]


@object_type(policy=SERVES)
class Assignee:
    """Who of staff has a ticket in hand."""

    name: str
    """What people call them."""

    @computed(SERVES)
    def id(self) -> strawberry.ID:
        """The id of their account."""
        account: Account = view(self)
        return encode_global_id("StaffAccount", account.id)

    @computed(SERVES)
    def login(self) -> str:
        """The login, for `assignTicket`."""
        account: Account = view(self)
        return account.code


@object_type(policy=SERVES)
class TicketMember:
    """Whose ticket it is; more of them is told by `staff.member`, with its row in the log."""

    nickname: str
    """What the member wants to be called; empty where they did not say."""

    @computed(SERVES)
    def id(self) -> strawberry.ID:
        """The member's own global id."""
        member: members.Member = view(self)
        return encode_global_id("Member", member.id)


@object_type(policy=SERVES)
class StaffTicket:
    """A ticket as staff sees it."""

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

    off_hours: bool
    """Whether nobody was there when it was filed."""

    reopened: int
    """How often it was opened again."""

    @computed(SERVES)
    def id(self) -> strawberry.ID:
        """The global id of the ticket."""
        return encode_global_id("Ticket", _record(self).id)

    @computed(SERVES)
    def order_id(self) -> strawberry.ID | None:
        """The order that it is about, a `Purchase`; null where it is about none."""
        record = _record(self)
        if record.purchase_id is None:
            return None
        return encode_global_id("Purchase", f"{record.member_id}:{record.purchase_id}")

    @computed(SERVES)
    def merged_into_id(self) -> strawberry.ID | None:
        """The ticket in which this one is told on; null where it stands for itself."""
        into = _record(self).merged_into
        return None if into is None else encode_global_id("Ticket", into)

    @computed(SERVES, cost=TOGETHER)
    async def topic(self) -> FeedbackTopic | None:
        """What it is about."""
        topic: FeedbackTopic = view(await _record(self).topic())
        return topic

    @computed(SERVES, cost=TOGETHER)
    async def cause(self) -> FeedbackCause | None:
        """What it came from; null until it was resolved."""
        cause: FeedbackCause | None = view(await _record(self).cause())
        return cause

    @computed(SERVES, cost=TOGETHER)
    async def assignee(self) -> Assignee | None:
        """Who has it in hand; null while nobody does."""
        assignee: Assignee | None = view(await _record(self).assignee())
        return assignee

    @computed(SERVES, cost=TOGETHER)
    async def member(self) -> TicketMember | None:
        """Whose it is; null where they were erased."""
        member: TicketMember | None = view(await _record(self).member())
        return member

    @computed(SERVES, cost=TOGETHER)
    async def messages(
        self, first: First = 20, after: After = None
    ) -> Connection[TicketMessage] | None:
        """What was said, oldest first, with what staff noted for each other."""
        request = MESSAGES.request(first=first, after=after)
        return MESSAGES.connection(await _record(self).messages(request), request)


@input_type()
class TicketFilter:
    """Which tickets staff wants to see, beside how they stand."""

    assignee: str | None = None
    """Only those that this member of staff has in hand, by login."""

    topic: str | None = None
    """Only those of this topic, by its code."""

    kind: FeedbackKind | None = None
    """Only those of this kind."""

    member_id: strawberry.ID | None = None
    """Only those of this member, by global id."""


def queue_of(statuses: list[TicketStatus] | None, only: TicketFilter | None) -> QueueOf:
    """What the domain is asked for. Raises CodedError for a text that is no member's id."""
    stand = OPEN_STATES if statuses is None else tuple(statuses)
    if only is None:
        return QueueOf(statuses=stand)
    member_id = None if only.member_id is None else decode_uuid(only.member_id, "Member")
    return QueueOf(
        statuses=stand,
        assignee=only.assignee,
        topic=only.topic,
        kind=only.kind,
        member_id=member_id,
    )


def _record(value: object) -> StaffTicketRecord:
    record: StaffTicketRecord = view(value)
    return record
