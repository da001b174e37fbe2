"""What feedback and notifications keep, each as work that can be begun again: rows of the table.

As in `tests.faults.moving`, but for what is counted: the rows that one act leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Final
from uuid import UUID

from api.fake_wechat import DEMO_APP_ID
from domain import feedback, notifications
from domain.feedback import (
    AnswerTicket,
    FeedbackKind,
    MergeTickets,
    Promise,
    ReplyTicket,
    ResolveTicket,
    SubmitFeedback,
    TextChecking,
    Ticket,
    watch_deadlines,
)
from domain.feedback.filing import OPEN_MAX
from domain.members import emails_of
from domain.notifications import (
    AcceptSubscribeMessages,
    Channel,
    Notification,
    OpenChannels,
    SubscribeTemplate,
    accept_subscribe_messages,
    deliveries_consumer,
)
from domain.outbox import drain
from domain.paging import PageRequest
from domain.storage import transaction
from tests.domain.feedback.pictures import A_PICTURE, Nowhere
from tests.domain.rewards.counter import CLERK
from tests.faults.moving import Act, Move, Stage
from tests.graphql.desk import open_desk
from tests.graphql.gateway import NOW
from tests.properties.served import Calm, have_address

LATER: Final = timedelta(hours=1)
"""Longer than any lease: what a cancelled worker had claimed is due again."""

CONVERSATIONS: Final = """
    SELECT (SELECT COUNT(*) FROM ticket) + (SELECT COUNT(*) FROM ticket_message)
        + (SELECT COUNT(*) FROM ticket_event) + (SELECT COUNT(*) FROM text_check)
        + (SELECT COUNT(*) FROM attachment WHERE message_id IS NOT NULL)
        + (SELECT COUNT(*) FROM notification) AS n
"""
VERDICTS: Final = "SELECT COUNT(*) AS n FROM outbox WHERE kind = 'TicketTextChecked'"
ALLOWED: Final = "SELECT COALESCE(SUM(remaining), 0) AS n FROM subscribe_consent"
DELIVERIES: Final = "SELECT COUNT(*) AS n FROM notification_delivery"


def _clock() -> Callable[[], datetime]:
    moments = count(1)
    return lambda: NOW + next(moments) * LATER


async def _make_room(member_id: UUID) -> None:
    """Resolve what waits, but for the newest: a member has so many tickets open at most."""
    page = await feedback.tickets_of(member_id, PageRequest(first=100))
    waiting = [one for one in page.items if one.status in feedback.OPEN_STATES]
    if len(waiting) < OPEN_MAX:
        return
    for ticket in waiting[1:]:
        command = ResolveTicket(
            ticket_id=ticket.id, cause_code="late", idempotency_key=f"room-{ticket.id}"
        )
        await feedback.resolve_ticket(command, by=CLERK, now=NOW)


async def _saying(stage: Stage, key: str) -> SubmitFeedback:
    """A complaint with a picture."""
    await open_desk()
    await _make_room(stage.alice.member)
    sent = await feedback.keep_upload(
        A_PICTURE, sent_name=key, member_id=stage.alice.member, store=Nowhere(), now=NOW
    )
    return SubmitFeedback(
        member_id=stage.alice.member,
        kind=FeedbackKind.COMPLAINT,
        topic="delivery",
        text=key,
        attachment_ids=(sent.id,),
        idempotency_key=key,
    )


async def _filed(stage: Stage, key: str) -> Ticket:
    return await feedback.submit_feedback(await _saying(stage, f"for-{key}"), now=NOW)


async def _submit(stage: Stage, key: str) -> Act:
    command = await _saying(stage, key)
    return lambda: feedback.submit_feedback(command, now=NOW)


async def _reply(stage: Stage, key: str) -> Act:
    ticket = await _filed(stage, key)
    command = ReplyTicket(
        member_id=stage.alice.member, ticket_id=ticket.id, text=key, idempotency_key=key
    )
    return lambda: feedback.reply_ticket(command, now=NOW)


async def _answer(stage: Stage, key: str) -> Act:
    ticket = await _filed(stage, key)
    command = AnswerTicket(ticket_id=ticket.id, text=key, idempotency_key=key)
    return lambda: feedback.answer_ticket(command, by=CLERK, now=NOW)


async def _resolve(stage: Stage, key: str) -> Act:
    ticket = await _filed(stage, key)
    command = ResolveTicket(ticket_id=ticket.id, cause_code="late", idempotency_key=key)
    return lambda: feedback.resolve_ticket(command, by=CLERK, now=NOW)


async def _merge(stage: Stage, key: str) -> Act:
    ticket, duplicate = await _filed(stage, f"one-{key}"), await _filed(stage, f"other-{key}")
    command = MergeTickets(ticket_id=ticket.id, duplicate_ids=(duplicate.id,), idempotency_key=key)
    return lambda: feedback.merge_tickets(command, by=CLERK, now=NOW)


async def _miss(stage: Stage, key: str) -> Act:
    await open_desk()
    promise = Promise(kind=FeedbackKind.COMPLAINT, answer_minutes=60, answer_points=5)
    levels = await feedback.service_levels_in_force()
    if levels.promises != (promise,):
        levels = replace(levels, promises=(promise,))
        await feedback.define_service_levels(levels, by=CLERK, now=NOW)
    await _filed(stage, key)

    async def act() -> None:
        await watch_deadlines(now=NOW + 2 * LATER, within_s=60)

    return act


async def _check(stage: Stage, key: str) -> Act:
    await _filed(stage, key)
    checking = TextChecking(wechat=Calm(Random(0)), clock=_clock())

    async def act() -> None:
        await feedback.check_texts(checking)

    return act


async def _accept(stage: Stage, key: str) -> Act:
    template = SubscribeTemplate(template_id=key)
    command = AcceptSubscribeMessages(
        member_id=stage.alice.member,
        app_id=DEMO_APP_ID,
        template_ids=[key],
        idempotency_key=key,
    )
    templates = {DEMO_APP_ID: {"HELLO": template}}
    return lambda: accept_subscribe_messages(command, templates=templates, now=NOW)


async def _write_down(stage: Stage, key: str) -> Act:
    if not await emails_of([stage.alice.member]):
        await have_address(stage.alice.member, "alice@example.com", now=NOW)
    opened = OpenChannels(channels=frozenset({Channel.EMAIL}))
    told = Notification(member_id=stage.alice.member, kind="HELLO", facts={"name": key})
    await transaction(lambda: notifications.notify([told], now=NOW))
    clock = _clock()

    async def act() -> None:
        await drain([deliveries_consumer(opened)], clock=clock)

    return act


FEEDBACK_MOVES: Final = (
    Move("submitFeedback", _submit, entries=5, counts=CONVERSATIONS),
    Move("replyTicket", _reply, entries=3, counts=CONVERSATIONS),
    Move("answerTicket", _answer, entries=3, counts=CONVERSATIONS),
    Move("resolveTicket", _resolve, entries=2, counts=CONVERSATIONS),
    Move("mergeTickets", _merge, entries=2, counts=CONVERSATIONS),
    Move("missAnswer", _miss),
    Move("checkText", _check, counts=VERDICTS, floors=(4, 12)),
    Move("acceptSubscribeMessages", _accept, counts=ALLOWED),
    Move("writeDelivery", _write_down, counts=DELIVERIES),
)
