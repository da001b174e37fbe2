"""What staff do to tickets: answer, ask, resolve, note, assign, open again, and merge.

Each act has a key of whoever acts, and is told to the audit log in its own transaction: what was
done to which ticket of whom, never the words. Sent again it is answered with the ticket as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from domain import access, idempotency
from domain.access import CallerKind, StaffRole
from domain.audit import Actor
from domain.errors import AssigneeUnknown
from domain.feedback.acting import Step, lock_any, note_in_log, staff_by, take
from domain.feedback.attachments import attach
from domain.feedback.conversation import clean_message, say
from domain.feedback.merging import merge_into
from domain.feedback.rules import Act, TicketStatus
from domain.feedback.tickets import Ticket
from domain.feedback.topics import find_cause
from domain.notifications import Notification, notify
from domain.storage import transaction

Doing = Callable[[Ticket], Awaitable[Ticket]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTicket:
    """What staff says to the member."""

    ticket_id: UUID
    text: str
    idempotency_key: str
    attachment_ids: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AskMember:
    """What staff needs to know from the member; the promised time stands still until they reply."""

    ticket_id: UUID
    text: str
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteTicket:
    """What staff note for each other in a ticket; the member is not shown it."""

    ticket_id: UUID
    text: str
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveTicket:
    """That the matter is done, what it came from, and perhaps a last word."""

    ticket_id: UUID
    cause_code: str
    idempotency_key: str
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignTicket:
    """Who of staff has it in hand, by login; None for nobody."""

    ticket_id: UUID
    login: str | None
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenTicket:
    """That a resolved ticket is not done."""

    ticket_id: UUID
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeTickets:
    """Tickets of one member about one matter, which is told on in the first one."""

    ticket_id: UUID
    duplicate_ids: Sequence[UUID]
    idempotency_key: str


Serving: TypeAlias = (
    AnswerTicket
    | AskMember
    | NoteTicket
    | ResolveTicket
    | AssignTicket
    | ReopenTicket
    | MergeTickets
)
"""What staff may want done to a ticket."""


async def answer_ticket(command: AnswerTicket, *, by: Actor, now: datetime) -> Ticket:
    """Answer the member, who is told of it. Whoever answers what nobody has in hand takes it.

    Refused, as all of these: InvalidInput, IdempotencyConflict, TicketUnknown, TicketNotOpen; and
    AttachmentUnknown.
    """
    command = replace(command, text=clean_message(command.text))

    async def do(ticket: Ticket) -> Ticket:
        made = await take(ticket, _spoken(Act.ANSWERED, ticket, by), now=now)
        await _say(made, command.text, by=by, attachment_ids=command.attachment_ids, now=now)
        await _notify(made, "TICKET_ANSWERED", now=now)
        return made

    files = [str(one) for one in command.attachment_ids]
    given = {"text": command.text, "attachment_ids": files}
    return await _once("answer", command, given, do, by=by, now=now)


async def ask_member(command: AskMember, *, by: Actor, now: datetime) -> Ticket:
    """Ask the member something, who is told of it; the clock stands still until they reply."""
    command = replace(command, text=clean_message(command.text))

    async def do(ticket: Ticket) -> Ticket:
        made = await take(ticket, _spoken(Act.ASKED, ticket, by), now=now)
        await _say(made, command.text, by=by, now=now)
        await _notify(made, "TICKET_ASKED", now=now)
        return made

    return await _once("ask", command, {"text": command.text}, do, by=by, now=now)


async def note_ticket(command: NoteTicket, *, by: Actor, now: datetime) -> Ticket:
    """Note something for staff alone."""
    command = replace(command, text=clean_message(command.text))

    async def do(ticket: Ticket) -> Ticket:
        made = await take(ticket, Step(act=Act.NOTED, by=staff_by(by)), now=now)
        await _say(made, command.text, by=by, internal=True, now=now)
        return made

    return await _once("note", command, {"text": command.text}, do, by=by, now=now)


async def resolve_ticket(command: ResolveTicket, *, by: Actor, now: datetime) -> Ticket:
    """Say that it is done and what it came from; the member is told. CauseUnknown, too.

    What is resolved already may be given another cause; the member is told of a new word alone.
    """
    if command.text is not None:
        command = replace(command, text=clean_message(command.text))

    async def do(ticket: Ticket) -> Ticket:
        cause = await find_cause(command.cause_code, topic=ticket.topic_code)
        step = Step(
            act=Act.RESOLVED,
            by=staff_by(by),
            spoken=command.text is not None,
            values={"cause": cause.code, **_in_hand(ticket, by)},
            facts={"cause": cause.code},
        )
        made = await take(ticket, step, now=now)
        if command.text is not None:
            await _say(made, command.text, by=by, now=now)
        if ticket.status is not TicketStatus.RESOLVED:
            await _notify(made, "TICKET_RESOLVED", now=now)
        elif command.text is not None:
            await _notify(made, "TICKET_ANSWERED", now=now)
        return made

    given = {"cause_code": command.cause_code, "text": command.text}
    logged = {"cause": command.cause_code}
    return await _once("resolve", command, given, do, logged=logged, by=by, now=now)


async def assign_ticket(command: AssignTicket, *, by: Actor, now: datetime) -> Ticket:
    """Say who has it in hand. AssigneeUnknown, where nobody with this login serves members."""

    async def do(ticket: Ticket) -> Ticket:
        assignee = await _assignee(command.login)
        facts = {"assignee": None if assignee is None else str(assignee)}
        values = {"assignee": assignee}
        step = Step(act=Act.ASSIGNED, by=staff_by(by), values=values, facts=facts)
        return await take(ticket, step, now=now)

    given = {"login": command.login}
    return await _once("assign", command, given, do, logged=given, by=by, now=now)


async def reopen_ticket(command: ReopenTicket, *, by: Actor, now: datetime) -> Ticket:
    """Open a resolved ticket again."""

    async def do(ticket: Ticket) -> Ticket:
        values = {"reopened": ticket.reopened + 1}
        return await take(ticket, Step(act=Act.REOPENED, by=staff_by(by), values=values), now=now)

    return await _once("reopen", command, {}, do, by=by, now=now)


async def merge_tickets(command: MergeTickets, *, by: Actor, now: datetime) -> Ticket:
    """Tell tickets on in another one of the same member, in which their messages stand then.

    It keeps what was promised of them, see `merging`; the member is told where it is opened again.
    TicketsNotMergeable, where they are of two
    members, or one and the same; and what the account refuses, where something missed is paid.
    """
    duplicates = sorted(set(command.duplicate_ids))

    async def do(ticket: Ticket) -> Ticket:
        made = await merge_into(ticket, duplicates, by=staff_by(by), now=now)
        if made.status is not ticket.status:
            await _notify(made, "TICKET_REOPENED", now=now)
        return made

    given = {"duplicate_ids": [str(one) for one in duplicates]}
    return await _once("merge", command, given, do, logged=given, by=by, now=now)


async def _once(
    what: str,
    command: Serving,
    given: Mapping[str, object],
    do: Doing,
    *,
    logged: Mapping[str, object] | None = None,
    by: Actor,
    now: datetime,
) -> Ticket:
    """Do it once for the key of this member of staff, to the ticket, which is locked.

    `logged` goes to the audit log: what of the given is nobody's words.
    """
    key = idempotency.checked_key(command.idempotency_key)
    scope = f"feedback.{what}:{by.account_id}"
    digests = idempotency.digests({"ticket_id": str(command.ticket_id), **given})

    async def work() -> Ticket:
        known = await idempotency.recall_answer(scope, key, digests)
        ticket = await lock_any(command.ticket_id)
        note_in_log(by, f"ticket.{what}", ticket, now=now, **(logged or {}))
        if known is not None:
            return ticket
        made = await do(ticket)
        answer = {"ticket": str(ticket.id)}
        await idempotency.remember(scope, {key: (digests, answer)}, now=now)
        return made

    return await transaction(work)


def _spoken(act: Act, ticket: Ticket, by: Actor) -> Step:
    return Step(act=act, by=staff_by(by), spoken=True, values=_in_hand(ticket, by))


def _in_hand(ticket: Ticket, by: Actor) -> dict[str, object]:
    """Whoever serves a ticket that nobody has takes it."""
    return {} if ticket.assignee_id is not None else {"assignee": by.account_id}


async def _say(
    ticket: Ticket,
    text: str,
    *,
    by: Actor,
    internal: bool = False,
    attachment_ids: Sequence[UUID] = (),
    now: datetime,
) -> None:
    message = await say(
        text,
        member_id=ticket.member_id,
        ticket_id=ticket.id,
        by=staff_by(by),
        internal=internal,
        now=now,
    )
    await attach(
        attachment_ids,
        member_id=ticket.member_id,
        ticket_id=ticket.id,
        message_id=message.id,
        uploaded_by=by.account_id,
    )


async def _notify(ticket: Ticket, kind: str, *, now: datetime) -> None:
    facts = {"number": ticket.number, "ticket": str(ticket.id)}
    told = Notification(member_id=ticket.member_id, kind=kind, facts=facts)
    await notify([told], now=now)


async def _assignee(login: str | None) -> UUID | None:
    if login is None:
        return None
    account = await access.find_account(login)
    if (
        account is None
        or account.kind is not CallerKind.STAFF
        or account.disabled_at is not None
        or StaffRole.SUPPORT not in account.grants
    ):
        raise AssigneeUnknown(field=("login",))
    return account.id
