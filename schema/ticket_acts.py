"""What staff does to tickets."""

from __future__ import annotations

import strawberry

from domain import feedback
from domain.feedback import TicketChannel
from resolvers import tickets as resolvers
from schema.feedback_kinds import FeedbackKind
from schema.fields import Info, input_type, object_type, view
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.node import decode_own_uuid, decode_uuid
from schema.staff_tickets import StaffTicket
from schema.ticket_parts import SERVES
from schema.tickets import decode_files


@input_type()
class AnswerTicketInput:
    """What to say to the member."""

    ticket_id: strawberry.ID
    """In which ticket."""

    text: str
    """1 to 10,000 characters; it may have several lines."""

    attachment_ids: list[strawberry.ID] | None = None
    """Files that were sent to `/upload` before, at most 9."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class AskMemberInput:
    """What to ask the member."""

    ticket_id: strawberry.ID
    """In which ticket."""

    text: str
    """1 to 10,000 characters; it may have several lines."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class NoteTicketInput:
    """What to note for staff alone."""

    ticket_id: strawberry.ID
    """In which ticket."""

    text: str
    """1 to 10,000 characters; it may have several lines."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class ResolveTicketInput:
    """That a matter is done."""

    ticket_id: strawberry.ID
    """Which ticket."""

    cause_code: str
    """What it came from: a code of `staff.feedbackCauses`, of the ticket's topic or of any."""

    text: str | None = None
    """A last word to the member, 1 to 10,000 characters."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class AssignTicketInput:
    """Who is to have a ticket in hand."""

    ticket_id: strawberry.ID
    """Which ticket."""

    login: str | None = None
    """Who; nobody without one."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class ReopenTicketInput:
    """Which ticket is not done."""

    ticket_id: strawberry.ID
    """The ticket."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class MergeTicketsInput:
    """Which tickets are about one matter."""

    ticket_id: strawberry.ID
    """The one in which it is told on."""

    duplicate_ids: list[strawberry.ID]
    """The others, of the same member: 1 to 20."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class OpenTicketInput:
    """What somebody told staff who phoned, wrote or came to a shop."""

    member: MemberReference
    """Who."""

    kind: FeedbackKind
    """What they want with it."""

    topic: str
    """What it is about: a code of `feedbackTopics`."""

    text: str
    """What they said: 1 to 10,000 characters; it may have several lines."""

    channel: TicketChannel
    """`PHONE`, `EMAIL` or `SHOP`."""

    order_id: strawberry.ID | None = None
    """The order that it is about, a `Purchase` of the member's."""

    shop: str | None = None
    """The shop that it is about, as its orders name it, 1 to 128 characters; the order's without.

    By it the ticket is counted in `complaints(shop:)`.
    """

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@object_type(policy=SERVES)
class AnswerTicketPayload(Payload):
    """What answering led to."""

    ticket: StaffTicket | None = None
    """The ticket; null when it was refused."""


@object_type(policy=SERVES)
class AskMemberPayload(Payload):
    """What asking led to."""

    ticket: StaffTicket | None = None
    """The ticket; null when it was refused."""


@object_type(policy=SERVES)
class NoteTicketPayload(Payload):
    """What noting led to."""

    ticket: StaffTicket | None = None
    """The ticket; null when it was refused."""


@object_type(policy=SERVES)
class ResolveTicketPayload(Payload):
    """What resolving led to."""

    ticket: StaffTicket | None = None
    """The ticket; null when it was refused."""


@object_type(policy=SERVES)
class AssignTicketPayload(Payload):
    """What assigning led to."""

    ticket: StaffTicket | None = None
    """The ticket; null when it was refused."""


@object_type(policy=SERVES)
class ReopenTicketPayload(Payload):
    """What opening a ticket again led to."""

    ticket: StaffTicket | None = None
    """The ticket; null when it was refused."""


@object_type(policy=SERVES)
class MergeTicketsPayload(Payload):
    """What merging led to."""

    ticket: StaffTicket | None = None
    """The ticket in which it is told on; null when it was refused."""


@object_type(policy=SERVES)
class OpenTicketPayload(Payload):
    """What writing it down led to."""

    ticket: StaffTicket | None = None
    """The ticket; null when it was refused."""


@mutation(SERVES)
async def answer_ticket(info: Info, input: AnswerTicketInput) -> AnswerTicketPayload:
    """Answer the member, who is told of it."""
    command = feedback.AnswerTicket(
        ticket_id=decode_uuid(input.ticket_id, "Ticket"),
        text=input.text,
        attachment_ids=decode_files(input.attachment_ids),
        idempotency_key=input.idempotency_key,
    )
    ticket: StaffTicket = view(await resolvers.answer_ticket(info.context, command))
    return AnswerTicketPayload(ticket=ticket)


@mutation(SERVES)
async def ask_member(info: Info, input: AskMemberInput) -> AskMemberPayload:
    """Ask the member something; the promised time stands still until they reply."""
    command = feedback.AskMember(
        ticket_id=decode_uuid(input.ticket_id, "Ticket"),
        text=input.text,
        idempotency_key=input.idempotency_key,
    )
    ticket: StaffTicket = view(await resolvers.ask_member(info.context, command))
    return AskMemberPayload(ticket=ticket)


@mutation(SERVES)
async def note_ticket(info: Info, input: NoteTicketInput) -> NoteTicketPayload:
    """Note something in a ticket, for staff alone."""
    command = feedback.NoteTicket(
        ticket_id=decode_uuid(input.ticket_id, "Ticket"),
        text=input.text,
        idempotency_key=input.idempotency_key,
    )
    ticket: StaffTicket = view(await resolvers.note_ticket(info.context, command))
    return NoteTicketPayload(ticket=ticket)


@mutation(SERVES)
async def resolve_ticket(info: Info, input: ResolveTicketInput) -> ResolveTicketPayload:
    """Say that a matter is done and what it came from; the member is told."""
    command = feedback.ResolveTicket(
        ticket_id=decode_uuid(input.ticket_id, "Ticket"),
        cause_code=input.cause_code,
        text=input.text,
        idempotency_key=input.idempotency_key,
    )
    ticket: StaffTicket = view(await resolvers.resolve_ticket(info.context, command))
    return ResolveTicketPayload(ticket=ticket)


@mutation(SERVES)
async def assign_ticket(info: Info, input: AssignTicketInput) -> AssignTicketPayload:
    """Say who of staff has a ticket in hand."""
    command = feedback.AssignTicket(
        ticket_id=decode_uuid(input.ticket_id, "Ticket"),
        login=input.login,
        idempotency_key=input.idempotency_key,
    )
    ticket: StaffTicket = view(await resolvers.assign_ticket(info.context, command))
    return AssignTicketPayload(ticket=ticket)


@mutation(SERVES)
async def reopen_ticket(info: Info, input: ReopenTicketInput) -> ReopenTicketPayload:
    """Open a resolved ticket again."""
    command = feedback.ReopenTicket(
        ticket_id=decode_uuid(input.ticket_id, "Ticket"),
        idempotency_key=input.idempotency_key,
    )
    ticket: StaffTicket = view(await resolvers.reopen_ticket(info.context, command))
    return ReopenTicketPayload(ticket=ticket)


@mutation(SERVES)
async def merge_tickets(info: Info, input: MergeTicketsInput) -> MergeTicketsPayload:
    """Tell duplicates on in one ticket, in which their messages stand then."""
    command = feedback.MergeTickets(
        ticket_id=decode_uuid(input.ticket_id, "Ticket"),
        duplicate_ids=[decode_uuid(one, "Ticket") for one in input.duplicate_ids],
        idempotency_key=input.idempotency_key,
    )
    ticket: StaffTicket = view(await resolvers.merge_tickets(info.context, command))
    return MergeTicketsPayload(ticket=ticket)


@mutation(SERVES)
async def open_ticket(info: Info, input: OpenTicketInput) -> OpenTicketPayload:
    """File a ticket for a member who phoned, wrote or came to a shop."""
    command = feedback.OpenTicket(
        member=input.member.value(field=["member"]),
        kind=input.kind,
        topic=input.topic,
        text=input.text,
        channel=input.channel,
        idempotency_key=input.idempotency_key,
        order=None if input.order_id is None else decode_own_uuid(input.order_id, "Purchase"),
        shop=input.shop,
    )
    ticket: StaffTicket = view(await resolvers.open_ticket(info.context, command))
    return OpenTicketPayload(ticket=ticket)
