"""What is said in tickets, and whom it is told: the words as they are kept; on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from domain import feedback
from domain.feedback import AnswerTicket, RateTicket, ResolveTicket
from domain.storage import fetch_all
from tests.domain.feedback.desk import MONDAY, open_desk, reply, said, submit
from tests.domain.members.fixtures import announced
from tests.domain.rewards.counter import CLERK

pytestmark = pytest.mark.usefixtures("database")

HOUR: Final = timedelta(hours=1)


async def test_of_what_is_resolved_again_a_new_word_alone_is_told() -> None:
    [alice] = await open_desk("alice")
    made = await submit(alice)
    for cause, text, told in (
        ("late", "Delivered.", ["TICKET_RESOLVED"]),
        ("other", None, []),
        ("other", "Truly.", ["TICKET_ANSWERED"]),
    ):
        before = await fetch_all("SELECT id FROM notification")
        key = f"{cause}:{text}"
        resolving = ResolveTicket(
            ticket_id=made.id, cause_code=cause, text=text, idempotency_key=key
        )
        done = await feedback.resolve_ticket(resolving, by=CLERK, now=MONDAY)
        assert done.cause_code == cause
        inbox = await fetch_all("SELECT kind FROM notification ORDER BY id")
        assert [row["kind"] for row in inbox[len(before) :]] == told
    updates = [facts["act"] for kind, facts in await announced() if kind == "TicketUpdated"]
    assert updates == ["SUBMITTED", "RESOLVED", "RESOLVED"]


async def test_words_are_kept_without_what_keyboards_add() -> None:
    [alice] = await open_desk("alice")
    words, kept = "Call me:\r\n\u202d138 0013 8000\u202c", "Call me:\n138 0013 8000"
    made = await submit(alice, text=words)
    # The same words, however they are sent again, are the same request.
    assert await submit(alice, text=kept) == made
    assert await reply(made, words, key="r") == await reply(made, kept, key="r")
    answering = AnswerTicket(ticket_id=made.id, text=words, idempotency_key="a")
    await feedback.answer_ticket(answering, by=CLERK, now=MONDAY)
    rating = RateTicket(member_id=alice, ticket_id=made.id, experience=1, text=words)
    rated = await feedback.rate_ticket(rating, now=MONDAY)
    assert await feedback.rate_ticket(rating, now=MONDAY + HOUR) == rated
    assert rated.satisfaction is not None
    assert [*(one.written for one in await said(made)), rated.satisfaction.text] == [kept] * 4
