"""Tickets for tests of what is promised: filed, answered and resolved by the real writers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain import members
from domain.feedback.defining_service import define_service_calendar, define_service_levels
from domain.feedback.filing import SubmitFeedback, submit_feedback
from domain.feedback.kinds import FeedbackKind
from domain.feedback.serving import (
    AnswerTicket,
    AskMember,
    ResolveTicket,
    answer_ticket,
    ask_member,
    resolve_ticket,
)
from domain.feedback.tickets import Ticket, find_ticket
from domain.feedback.topics import Cause, Topic, define_cause, define_topic
from domain.members import ByExternalReference
from domain.tiers import define_levels
from tests.domain.feedback.service import POLICY, SHOP
from tests.domain.ledger.commands import NOW
from tests.domain.rewards.counter import CLERK
from tests.domain.tiers.levels import LEVELS

MORNING: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""Ten o'clock on a Monday in Shanghai: an answer is due at eleven, the end on Tuesday at ten."""


async def open_shop() -> None:
    """A programme with levels, one topic, one cause, a calendar and promises."""
    await define_levels(LEVELS, perks=[], now=NOW)
    await define_topic(
        Topic(code="delivery", name_zh="配送", name_en="Delivery"), by=CLERK, now=NOW
    )
    cause = Cause(code="late", topic=None, name_zh="太晚", name_en="Late")
    await define_cause(cause, by=CLERK, now=NOW)
    await define_service_calendar(SHOP, by=CLERK, now=NOW)
    await define_service_levels(POLICY, by=CLERK, now=NOW)


async def join(*names: str) -> list[UUID]:
    """Members of the programme."""
    references = [ByExternalReference(name) for name in names]
    joined = await members.register_external_members(references, now=NOW)
    return [joined[name] for name in names]


async def complain(member_id: UUID, *, key: str = "complaint-1", now: datetime = MORNING) -> Ticket:
    """A complaint, of Monday morning unless it is said when."""
    command = SubmitFeedback(
        member_id=member_id,
        kind=FeedbackKind.COMPLAINT,
        topic="delivery",
        text="Nothing has come.",
        idempotency_key=key,
    )
    return await submit_feedback(command, now=now)


async def answer(ticket: Ticket, *, now: datetime) -> Ticket:
    command = AnswerTicket(ticket_id=ticket.id, text="We look.", idempotency_key="answer-1")
    return await answer_ticket(command, by=CLERK, now=now)


async def ask(ticket: Ticket, *, now: datetime) -> Ticket:
    command = AskMember(ticket_id=ticket.id, text="Which one?", idempotency_key="ask-1")
    return await ask_member(command, by=CLERK, now=now)


async def resolve(ticket: Ticket, *, key: str = "resolve-1", now: datetime) -> Ticket:
    command = ResolveTicket(ticket_id=ticket.id, cause_code="late", idempotency_key=key)
    return await resolve_ticket(command, by=CLERK, now=now)


async def read(ticket: Ticket) -> Ticket:
    """The ticket as it is now."""
    found = await find_ticket(ticket.id)
    assert found is not None
    return found
