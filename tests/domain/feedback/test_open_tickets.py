"""Nobody fills the queue alone: so many tickets of a member's own may be open, and no more."""

from __future__ import annotations

import pytest

from domain import feedback
from domain.errors import TooManyOpenTickets
from domain.feedback import FeedbackKind, MergeTickets, OpenTicket, TicketChannel
from domain.members import ByExternalReference
from tests.domain.feedback.desk import MONDAY, open_desk, submit
from tests.domain.feedback.filing import resolve
from tests.domain.rewards.counter import CLERK
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")


async def test_a_member_has_at_most_twenty_tickets_open() -> None:
    alice, bob = await open_desk("alice", "bob")
    made = [await submit(alice, f"k-{number}") for number in range(20)]
    before = await everything_kept()
    with pytest.raises(TooManyOpenTickets) as refused:
        await submit(alice, "k-20")
    assert refused.value.limit == 20
    # What was filed is answered with what it was; nothing was written.
    assert await submit(alice, "k-3") == made[3]
    assert await everything_kept() == before
    # Others, and staff who write down what somebody says, are not held up by it.
    await submit(bob)
    phoned = OpenTicket(
        member=ByExternalReference("alice"),
        kind=FeedbackKind.COMPLAINT,
        topic="delivery",
        text="I cannot write any more.",
        channel=TicketChannel.PHONE,
        idempotency_key="phoned",
    )
    await feedback.open_ticket(phoned, by=CLERK, now=MONDAY)
    # What is done, or told on elsewhere, makes room; what staff filed takes none.
    await resolve(made[0], now=MONDAY)
    merge = MergeTickets(
        ticket_id=made[1].id, duplicate_ids=[made[2].id], idempotency_key="one matter"
    )
    await feedback.merge_tickets(merge, by=CLERK, now=MONDAY)
    await submit(alice, "k-20")
    await submit(alice, "k-21")
    with pytest.raises(TooManyOpenTickets):
        await submit(alice, "k-22")
