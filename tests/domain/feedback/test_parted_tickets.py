"""Tickets of records that are joined and parted again: what was said goes where they go."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest

from domain import feedback
from domain.custody import MergeBecause, merge, part
from domain.feedback import MergeTickets, ReplyTicket, Ticket, TicketStatus
from domain.paging import PageRequest
from domain.storage import fetch_all, transaction
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
from tests.domain.rewards.counter import CLERK
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


@pytest.mark.parametrize("kept", [0, 1])
async def test_what_was_told_on_in_a_ticket_of_somebody_else_is_opened_again(kept: int) -> None:
    await open_shop()
    both = await join("alice", "bob")
    work = partial(merge, *both, because=MergeBecause.STAFF, by="staff:clerk", now=MORNING)
    tickets = [await complain(one) for one in both]
    merged = await transaction(work)
    assert merged is not None
    into, duplicate = tickets[kept], tickets[1 - kept]
    half = timedelta(minutes=30)
    command = MergeTickets(ticket_id=into.id, duplicate_ids=[duplicate.id], idempotency_key="m")
    await feedback.merge_tickets(command, by=CLERK, now=MORNING + half)
    await transaction(partial(part, merged, by="staff:clerk", now=MORNING + 2 * half))
    again = await read(duplicate)
    assert (again.status, again.merged_into, again.closed_at) == (TicketStatus.OPEN, None, None)
    # Half an hour was left of the hour until an answer when it was merged.
    assert again.sla.answer_by == again.due_at == MORNING + 3 * half
    assert again.sla.resolve_by == MORNING + timedelta(days=1) + half
    rows = await fetch_all(
        "SELECT kind FROM ticket_event WHERE ticket_id = $1 ORDER BY seq", duplicate.id
    )
    assert [row["kind"] for row in rows] == ["SUBMITTED", "MERGED", "PARTED"]
    assert (await read(into)).status is TicketStatus.OPEN
    assert await texts(into) == await texts(duplicate) == ["Nothing has come."]
