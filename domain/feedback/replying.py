"""What members do to their tickets: they say more, and how they were served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from domain import idempotency, members
from domain.errors import InvalidInput, TicketNotOpen
from domain.feedback.acting import MEMBER, Step, lock_own, take
from domain.feedback.attachments import attach
from domain.feedback.conversation import clean_message, say, unsay_rating
from domain.feedback.rules import (
    RATING_MAX,
    RATING_MIN,
    RATING_TEXT_CHARACTERS_MAX,
    REOPENED_WITHIN,
    Act,
    TicketStatus,
)
from domain.feedback.tickets import Ticket
from domain.members import UNCHANGED, Change, Unchanged, recall_own, remember_own
from domain.storage import transaction
from domain.texts import clean_words

T = TypeVar("T")

_WHAT: Final = "feedback.reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTicket:
    """What a member says more."""

    member_id: UUID
    ticket_id: UUID
    text: str
    idempotency_key: str
    attachment_ids: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTicket:
    """How a member was served, 1 to 5, and how they had expected to be.

    UNCHANGED keeps what they said before; None takes it back.
    """

    member_id: UUID
    ticket_id: UUID
    experience: int
    expectation: Change[int] = UNCHANGED
    text: Change[str] = UNCHANGED


class _Said(NamedTuple):
    experience: int | None
    expectation: int | None
    text: str | None


async def reply_ticket(command: ReplyTicket, *, now: datetime) -> Ticket:
    """Say more in a ticket of one's own, which waits for us then; one that is resolved opens again.

    The same key gives the same ticket, as it is now. Refused, in this order: InvalidInput,
    MemberNotFound, IdempotencyConflict, TicketUnknown, TicketNotOpen (also of one that was resolved
    longer than REOPENED_WITHIN ago), AttachmentUnknown.
    """
    key = idempotency.checked_key(command.idempotency_key)
    command = replace(command, text=clean_message(command.text))
    digests = idempotency.digests(
        {
            "ticket_id": str(command.ticket_id),
            "text": command.text,
            "attachment_ids": [str(one) for one in command.attachment_ids],
        }
    )

    async def work() -> Ticket:
        mine = await members.lock_member(command.member_id)
        earlier = await recall_own(_WHAT, mine, key=key, digests=digests)
        ticket = await lock_own(mine, command.ticket_id)
        if earlier is not None:
            return ticket
        made = await _said(ticket, command, now=now)
        await remember_own(
            *(_WHAT, mine), key=key, digests=digests, answer={"ticket": str(made.id)}, now=now
        )
        return made

    return await transaction(work)


async def rate_ticket(command: RateTicket, *, now: datetime) -> Ticket:
    """Say, or say anew, how one was served; until the ticket is closed.

    The same again changes nothing. The text is checked like a message. Refused: InvalidInput,
    MemberNotFound, TicketUnknown, TicketNotOpen.
    """
    _check_rating("experience", command.experience)
    if isinstance(command.expectation, int):
        _check_rating("expectation", command.expectation)
    text = command.text
    if isinstance(text, str):
        text = clean_words(text, field=("text",), characters_max=RATING_TEXT_CHARACTERS_MAX)

    async def work() -> Ticket:
        mine = await members.lock_member(command.member_id)
        ticket = await lock_own(mine, command.ticket_id)
        before = _said_before(ticket)
        said = _Said(
            command.experience,
            _or_before(command.expectation, before.expectation),
            _or_before(text, before.text),
        )
        if said == before:
            return ticket
        facts = {"experience": said.experience, "expectation": said.expectation}
        values = {**facts, **await _rated(ticket, said.text, now=now), "rated_at": now}
        step = Step(act=Act.RATED, by=MEMBER, values=values, facts=facts)
        return await take(ticket, step, now=now)

    return await transaction(work)


async def _said(ticket: Ticket, command: ReplyTicket, *, now: datetime) -> Ticket:
    again = ticket.status is TicketStatus.RESOLVED
    resolved_at = ticket.sla.resolved_at
    if again and resolved_at is not None and now - resolved_at > REOPENED_WITHIN:
        raise TicketNotOpen(state=ticket.status.value, field=("ticket_id",))
    values = {"reopened": ticket.reopened + 1} if again else {}
    step = Step(act=Act.REPLIED, by=MEMBER, spoken=True, values=values)
    made = await take(ticket, step, now=now)
    message = await say(
        command.text, member_id=ticket.member_id, ticket_id=ticket.id, by=MEMBER, now=now
    )
    await attach(
        command.attachment_ids,
        member_id=ticket.member_id,
        ticket_id=ticket.id,
        message_id=message.id,
    )
    return made


def _said_before(ticket: Ticket) -> _Said:
    known = ticket.satisfaction
    if known is None:
        return _Said(None, None, None)
    return _Said(known.experience, known.expectation, known.text)


def _or_before(value: Change[T], before: T | None) -> T | None:
    return before if isinstance(value, Unchanged) else value


async def _rated(ticket: Ticket, text: str | None, *, now: datetime) -> dict[str, UUID | None]:
    """The words of the rating, where they are new; the same ones are not checked again."""
    known = ticket.satisfaction
    if text == (None if known is None else known.text):
        return {}
    await unsay_rating(member_id=ticket.member_id, ticket_id=ticket.id)
    if text is None:
        return {"rating_message": None}
    message = await say(
        text, member_id=ticket.member_id, ticket_id=ticket.id, by=MEMBER, rating=True, now=now
    )
    return {"rating_message": message.id}


def _check_rating(name: str, rating: int) -> None:
    if not RATING_MIN <= rating <= RATING_MAX:
        raise InvalidInput(field=(name,), rule=f"{RATING_MIN} to {RATING_MAX}")
