"""Filing a ticket: by the member, or by staff for somebody who phoned, wrote or came to a shop.

Whatever the channel, it is one record: what was promised about its time is agreed and frozen, its
text is its first message, and it stands in the member's timeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import idempotency, members, purchases, tiers
from domain.audit import Actor
from domain.errors import (
    InvalidInput,
    MemberNotFound,
    TicketOrderUnknown,
    TooManyOpenTickets,
)
from domain.feedback.acting import MEMBER, By, Step, note_in_log, staff_by, tell, write_event
from domain.feedback.agreements import Agreement, agreed
from domain.feedback.attachments import attach
from domain.feedback.conversation import clean_message, say
from domain.feedback.kinds import FeedbackKind
from domain.feedback.rules import OPEN_STATES, Act, TicketChannel, TicketStatus, due_next
from domain.feedback.tickets import Ticket, find_ticket
from domain.feedback.topics import find_topic
from domain.members import MemberRef, as_named, lock_resolved, recall_own, remember_own
from domain.storage import Table, fetch_one, transaction
from domain.texts import clean_text

_WHAT: Final = "feedback.submit"

OPEN_MAX: Final = 20
"""How many tickets that a member filed themselves may be open: more are of nobody in need."""

OWN_CHANNELS: Final = frozenset({TicketChannel.MINI_PROGRAM, TicketChannel.APP})
"""By which members file tickets themselves; all others are staff's."""

_TICKETS: Final = Table(
    "ticket",
    member_id="uuid",
    id="uuid",
    number="bigint",
    kind="text",
    topic="text",
    channel="text",
    status="text",
    priority="smallint",
    purchase_id="uuid",
    submitted_at="timestamptz",
    last_message_at="timestamptz",
    assignee="uuid",
    policy_version="integer",
    calendar_version="integer",
    answer_minutes="integer",
    resolve_minutes="integer",
    answer_points="bigint",
    resolve_points="bigint",
    answer_by="timestamptz",
    resolve_by="timestamptz",
    due_at="timestamptz",
    off_hours="boolean",
    level="text",
    shop="text",
    version="bigint",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitFeedback:
    """What a member says, of their own accord. `order` is an id of an order as it was given."""

    member_id: UUID
    kind: FeedbackKind
    topic: str
    text: str
    idempotency_key: str
    channel: TicketChannel = TicketChannel.MINI_PROGRAM
    attachment_ids: Sequence[UUID] = ()
    order: tuple[UUID, UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTicket:
    """What staff writes down for a member who phoned, wrote or came to a shop.

    `order` is an id of an order as it was given. `shop` is where it was; without it that of the
    order.
    """

    member: MemberRef
    kind: FeedbackKind
    topic: str
    text: str
    channel: TicketChannel
    idempotency_key: str
    order: tuple[UUID, UUID] | None = None
    shop: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filed:
    member_id: UUID
    kind: FeedbackKind
    topic: str
    channel: TicketChannel
    text: str
    purchase_id: UUID | None = None
    shop: str | None = None
    attachment_ids: Sequence[UUID] = ()


async def submit_feedback(command: SubmitFeedback, *, now: datetime) -> Ticket:
    """File a ticket for the member; the same key gives the same ticket, as it is now.

    Refused, in this order: InvalidInput, MemberNotFound, IdempotencyConflict, TooManyOpenTickets,
    TopicUnknown, TicketOrderUnknown, AttachmentUnknown.
    """
    key = idempotency.checked_key(command.idempotency_key)
    command = replace(command, text=clean_message(command.text))
    digests = idempotency.digests(
        {
            "kind": command.kind.value,
            "topic": command.topic,
            "text": command.text,
            "attachment_ids": [str(one) for one in command.attachment_ids],
            "order_id": None if command.order is None else str(command.order[1]),
            "channel": command.channel.value,
        }
    )

    async def work() -> Ticket:
        mine = await members.lock_member(command.member_id)
        earlier = await recall_own(_WHAT, mine, key=key, digests=digests)
        if earlier is not None:
            return await _as_now(earlier.answer)
        if command.channel not in OWN_CHANNELS:
            raise InvalidInput(field=("channel",), rule="MINI_PROGRAM or APP")
        await _require_room(mine)
        filed = _Filed(
            member_id=mine,
            kind=command.kind,
            topic=(await find_topic(command.topic)).code,
            channel=command.channel,
            text=command.text,
            purchase_id=await _own_order(mine, command.order),
            attachment_ids=command.attachment_ids,
        )
        made = await _file(filed, by=MEMBER, now=now)
        answer = {"ticket": str(made.id)}
        await remember_own(_WHAT, mine, key=key, digests=digests, answer=answer, now=now)
        return made

    return await transaction(work)


async def open_ticket(command: OpenTicket, *, by: Actor, now: datetime) -> Ticket:
    """File a ticket for a member, who reached staff by another channel; staff has it in hand.

    Refused: InvalidInput, IdempotencyConflict, MemberNotFound, TopicUnknown, TicketOrderUnknown.
    """
    key = idempotency.checked_key(command.idempotency_key)
    command = replace(command, text=clean_message(command.text))
    if command.shop is not None:
        clean_text(
            command.shop,
            field=("shop",),
            characters_min=1,
            characters_max=purchases.SHOP_LENGTH_MAX,
        )
    digests = idempotency.digests(
        {
            "member": as_named(command.member),
            "kind": command.kind.value,
            "topic": command.topic,
            "text": command.text,
            "channel": command.channel.value,
            "order_id": None if command.order is None else str(command.order[1]),
            "shop": command.shop,
        }
    )
    scope = f"feedback.open:{by.account_id}"

    async def work() -> Ticket:
        earlier = await idempotency.recall_answer(scope, key, digests)
        if earlier is not None:
            found = await _as_now(earlier)
            note_in_log(by, "ticket.open", found, channel=found.channel.value, now=now)
            return found
        if command.channel in OWN_CHANNELS:
            raise InvalidInput(field=("channel",), rule="PHONE, EMAIL or SHOP")
        [member_id] = await lock_resolved([command.member])
        if member_id is None:
            raise MemberNotFound(field=("member",))
        filed = _Filed(
            member_id=member_id,
            kind=command.kind,
            topic=(await find_topic(command.topic)).code,
            channel=command.channel,
            text=command.text,
            purchase_id=await _own_order(member_id, command.order),
            shop=command.shop,
        )
        made = await _file(filed, by=staff_by(by), now=now)
        note_in_log(by, "ticket.open", made, channel=made.channel.value, now=now)
        await idempotency.remember(scope, {key: (digests, {"ticket": str(made.id)})}, now=now)
        return made

    return await transaction(work)


async def _require_room(member_id: UUID) -> None:
    """Refused with TooManyOpenTickets, where as many of the member's own wait; they are locked."""
    row = await fetch_one(
        "SELECT COUNT(*) AS waiting FROM ticket WHERE member_id = $1"
        " AND status = ANY($2::text[]) AND channel = ANY($3::text[])",
        *(member_id, [one.value for one in OPEN_STATES]),
        [one.value for one in sorted(OWN_CHANNELS)],
    )
    assert row is not None, "a count is one row"
    if row["waiting"] >= OPEN_MAX:
        raise TooManyOpenTickets(limit=OPEN_MAX)


async def _file(filed: _Filed, *, by: By, now: datetime) -> Ticket:
    """Write the ticket with its first message, and tell it; the member is locked."""
    ticket_id: UUID = uuid7()
    level = (await tiers.level_codes([filed.member_id]))[filed.member_id]
    agreement = await _agreed(filed, level=level, now=now)
    row = await _row(filed, agreement, ticket_id, assignee=by.account_id, now=now)
    counted = {"level": level or None, "shop": await _shop(filed)}
    await _TICKETS.insert([row | counted])
    # What staff wrote down are the member's words: it stands as theirs.
    message = await say(
        filed.text,
        member_id=filed.member_id,
        ticket_id=ticket_id,
        by=replace(by, author=MEMBER.author),
        now=now,
    )
    await attach(
        filed.attachment_ids,
        member_id=filed.member_id,
        ticket_id=ticket_id,
        message_id=message.id,
    )
    made = await find_ticket(ticket_id)
    assert made is not None, "it was just written"
    step = Step(act=Act.SUBMITTED, by=by, facts={"channel": filed.channel.value})
    await write_event(made, step, TicketStatus.OPEN, now=now)
    await tell(made, Act.SUBMITTED, now=now)
    return made


async def _shop(filed: _Filed) -> str | None:
    """Which shop it is about: what staff wrote down, or else that of the order."""
    if filed.shop is not None or filed.purchase_id is None:
        return filed.shop
    order = await purchases.purchase(filed.member_id, purchase_id=filed.purchase_id)
    return None if order is None else order.shop or None


async def _agreed(filed: _Filed, *, level: str, now: datetime) -> Agreement:
    member_id = filed.member_id
    return await agreed(
        kind=filed.kind,
        topic=filed.topic,
        level=level,
        service=(await tiers.service_levels([member_id]))[member_id],
        now=now,
    )


async def _row(
    filed: _Filed, agreement: Agreement, ticket_id: UUID, *, assignee: UUID | None, now: datetime
) -> dict[str, Any]:
    frozen = (
        "policy_version",
        "calendar_version",
        "answer_minutes",
        "resolve_minutes",
        "answer_points",
        "resolve_points",
        "answer_by",
        "resolve_by",
        "priority",
        "off_hours",
    )
    return {
        **{name: getattr(agreement, name) for name in frozen},
        "member_id": filed.member_id,
        "id": ticket_id,
        "number": await _next_number(),
        "kind": filed.kind.value,
        "topic": filed.topic,
        "channel": filed.channel.value,
        "status": TicketStatus.OPEN.value,
        "purchase_id": filed.purchase_id,
        "submitted_at": now,
        "last_message_at": now,
        "assignee": assignee,
        "due_at": due_next(agreement.answer_by, agreement.resolve_by),
        "version": 1,
    }


async def _next_number() -> int:
    row = await fetch_one(
        "UPDATE ticket_counter SET number = number + 1 WHERE id = 1 RETURNING number"
    )
    assert row is not None, "the migration made it"
    return int(row["number"])


async def _own_order(member_id: UUID, order: tuple[UUID, UUID] | None) -> UUID | None:
    """The order of the member, under whichever of their records it was placed."""
    if order is None:
        return None
    owner, purchase_id = order
    leads = await members.heirs([owner])
    found = None
    if leads.get(owner) == member_id:
        found = await purchases.purchase(member_id, purchase_id=purchase_id)
    if found is None:
        raise TicketOrderUnknown(field=("order_id",))
    return purchase_id


async def _as_now(answer: Any) -> Ticket:
    """The ticket that a key was answered with, whatever became of it since."""
    found = await find_ticket(UUID(answer["ticket"]))
    assert found is not None, "tickets are never deleted"
    return found
