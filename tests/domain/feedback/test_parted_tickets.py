"""Tickets of records that are joined and parted again: what was said goes where they go."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest

from domain import feedback
from domain.custody import MergeBecause, merge, part
from domain.feedback import ReplyTicket, Ticket, TicketStatus
from domain.paging import PageRequest
from domain.storage import transaction
from tests.domain.feedback.filing import (
    MORNING,
    answer,
    ask,
    complain,
    join,
    open_shop,
    read,
    resolve,
)
from tests.domain.feedback.pictures import A_PICTURE, Nowhere
from tests.properties.served import torn

pytestmark = pytest.mark.usefixtures("database")


async def texts(ticket: Ticket) -> list[str]:
    found = await feedback.conversations([ticket.id], PageRequest(first=100))
    return [one.written for one in found[ticket.id].items]


async def test_what_was_said_while_records_were_one_goes_back_with_its_ticket(
    database: str,
) -> None:
    await open_shop()
    alice, bob = await join("alice", "bob")
    of_alice, of_bob = await complain(alice), await complain(bob)
    work = partial(merge, alice, bob, because=MergeBecause.STAFF, by="staff:clerk", now=MORNING)
    merged = await transaction(work)
    assert merged is not None

    async def reply(ticket: Ticket, member_id: UUID) -> None:
        sent = await feedback.keep_upload(
            A_PICTURE, sent_name="cup.png", member_id=member_id, store=Nowhere(), now=MORNING
        )
        command = ReplyTicket(
            member_id=member_id,
            ticket_id=ticket.id,
            text=f"More of {ticket.number}.",
            attachment_ids=(sent.id,),
            idempotency_key=ticket.number,
        )
        await feedback.reply_ticket(command, now=MORNING)

    for ticket in (of_alice, of_bob):
        await reply(ticket, alice)
    await ask(of_bob, now=MORNING + timedelta(minutes=30))
    await transaction(partial(part, merged, by="staff:clerk", now=MORNING + timedelta(hours=1)))
    assert await torn() == []
    assert await texts(of_alice) == ["Nothing has come.", f"More of {of_alice.number}."]
    assert await texts(of_bob) == [
        "Nothing has come.",
        f"More of {of_bob.number}.",
        "Which one?",
    ]
    assert [(await read(one)).member_id for one in (of_alice, of_bob)] == [alice, bob]
    # That it waits is known of it still, and since when.
    done = await resolve(of_bob, now=MORNING + timedelta(days=1, minutes=30))
    assert done.status is TicketStatus.RESOLVED
    assert done.sla.resolve_by == MORNING + timedelta(days=2)
    await answer(of_alice, now=MORNING + timedelta(minutes=59))
