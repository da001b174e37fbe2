"""A service desk: topics, causes, what is promised, members who write and staff who serve them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from domain import feedback, members
from domain.access import CallerKind, RegisterAccount, StaffRole, register_account
from domain.audit import Actor
from domain.feedback import (
    Cause,
    FeedbackKind,
    ReplyTicket,
    SubmitFeedback,
    Ticket,
    TicketMessage,
    Topic,
    define_service_calendar,
    define_service_levels,
)
from domain.paging import PageRequest
from domain.tiers import define_levels
from tests.domain.feedback.service import POLICY, SHOP
from tests.domain.rewards.counter import CLERK
from tests.domain.tiers.levels import LEVELS

MONDAY: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""Ten in the morning in Shanghai, while the shop is open."""


async def open_desk(*names: str) -> list[UUID]:
    """Set up the desk; the members with these external references."""
    await define_levels(LEVELS, perks=[], now=MONDAY)
    await define_service_calendar(SHOP, by=CLERK, now=MONDAY)
    await define_service_levels(POLICY, by=CLERK, now=MONDAY)
    for code in ("delivery", "points"):
        topic = Topic(code=code, name_zh=f"{code}的事", name_en=code.capitalize())
        await feedback.define_topic(topic, by=CLERK, now=MONDAY)
    for code, topic_code in (("late", "delivery"), ("other", None)):
        cause = Cause(code=code, topic=topic_code, name_zh=f"{code}原因", name_en=code)
        await feedback.define_cause(cause, by=CLERK, now=MONDAY)
    known = await members.register_external_members(
        [members.ByExternalReference(name) for name in names], now=MONDAY
    )
    return [known[name] for name in names]


async def staff(login: str, role: StaffRole = StaffRole.SUPPORT) -> Actor:
    """A member of staff with an account of their own."""
    command = RegisterAccount(
        kind=CallerKind.STAFF, code=login, name=login.capitalize(), grants=frozenset({role})
    )
    account = await register_account(command, by=CLERK, now=MONDAY)
    return Actor(name=f"staff:{login}", account_id=account.id, request_id="0199c0ffee")


def saying(member_id: UUID, key: str = "k-1", **other: Any) -> SubmitFeedback:
    """A complaint about a delivery; with what is changed."""
    values: dict[str, Any] = {
        "kind": FeedbackKind.COMPLAINT,
        "topic": "delivery",
        "text": "The parcel did not come.",
        **other,
    }
    return SubmitFeedback(member_id=member_id, idempotency_key=key, **values)


async def submit(
    member_id: UUID, key: str = "k-1", *, now: datetime = MONDAY, **other: Any
) -> Ticket:
    """File it."""
    return await feedback.submit_feedback(saying(member_id, key, **other), now=now)


async def reply(
    ticket: Ticket, text: str, *, key: str | None = None, now: datetime = MONDAY
) -> Ticket:
    """The member says more."""
    command = ReplyTicket(
        member_id=ticket.member_id,
        ticket_id=ticket.id,
        text=text,
        idempotency_key=key or f"reply:{text}",
    )
    return await feedback.reply_ticket(command, now=now)


async def said(ticket: Ticket, *, for_staff: bool = False) -> list[TicketMessage]:
    """All that was said in the ticket."""
    page = PageRequest(first=100)
    found = await feedback.conversations([ticket.id], page, for_staff=for_staff)
    return list(found[ticket.id].items)
