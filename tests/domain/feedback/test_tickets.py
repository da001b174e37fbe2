"""Tickets: filed, said more to, served, merged, closed; what is refused changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import feedback, outbox
from domain.access import StaffRole
from domain.errors import (
    AssigneeUnknown,
    CauseUnknown,
    IdempotencyConflict,
    InvalidInput,
    MemberNotFound,
    Refusal,
    TicketNotOpen,
    TicketOrderUnknown,
    TicketsNotMergeable,
    TicketUnknown,
    TopicUnknown,
)
from domain.feedback import (
    REOPENED_WITHIN,
    AnswerTicket,
    AskMember,
    AssignTicket,
    FeedbackKind,
    MergeTickets,
    NoteTicket,
    OpenTicket,
    QueueOf,
    RateTicket,
    ReopenTicket,
    ResolveTicket,
    Satisfaction,
    TicketChannel,
    TicketStatus,
)
from domain.feedback.rules import NO_DEADLINE
from domain.members import ByExternalReference
from domain.paging import PageRequest
from domain.storage import fetch_all
from tests.domain.feedback.desk import MONDAY, open_desk, reply, said, saying, staff, submit
from tests.domain.rewards.counter import CLERK
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

HOUR = timedelta(hours=1)


async def test_a_complaint_is_one_record_with_what_was_promised() -> None:
    [alice] = await open_desk("alice")
    made = await submit(alice)
    assert (made.number, made.status, made.priority) == ("T-000001", TicketStatus.OPEN, 3)
    assert (made.kind, made.topic_code) == (FeedbackKind.COMPLAINT, "delivery")
    assert (made.channel, made.off_hours) == (TicketChannel.MINI_PROGRAM, False)
    sla = made.sla
    assert (sla.policy_version, sla.calendar_version) == (1, 1)
    assert (sla.answer_by, sla.resolve_by) == (MONDAY + HOUR, MONDAY + 24 * HOUR)
    assert (made.due_at, sla.paused, sla.answered_at) == (MONDAY + HOUR, False, None)
    [message] = await said(made)
    assert (message.author, message.written, message.at) == (
        "MEMBER",
        "The parcel did not come.",
        MONDAY,
    )
    [event] = (await outbox.stream_page(alice, after=0, limit=10)).events[1:]
    assert (event.kind, event.facts) == (
        "TicketUpdated",
        {
            "ticket": str(made.id),
            "number": "T-000001",
            "act": "SUBMITTED",
            "status": "OPEN",
            "kind": "COMPLAINT",
            "topic": "delivery",
            "channel": "MINI_PROGRAM",
        },
    )


async def test_the_same_key_gives_the_same_ticket_and_another_input_is_refused() -> None:
    [alice] = await open_desk("alice")
    made = await submit(alice)
    assert await submit(alice, now=MONDAY + HOUR) == made
    with pytest.raises(IdempotencyConflict) as refused:
        await submit(alice, text="Something else.")
    assert refused.value.differing == ("text",)
    assert (await submit(alice, "k-2")).number == "T-000002"


@pytest.mark.parametrize(
    ("other", "refusal"),
    [
        ({"text": "x" * 10_001}, InvalidInput(field=("text",), rule="at most 10000 characters")),
        ({"text": ""}, InvalidInput(field=("text",), rule="at least 1 characters")),
        ({"text": "a\0b"}, InvalidInput(field=("text",), rule="no control characters")),
        ({"topic": "weather"}, TopicUnknown(field=("topic",))),
        ({"order": (UUID(int=5), UUID(int=6))}, TicketOrderUnknown(field=("order_id",))),
        ({"member_id": UUID(int=9)}, MemberNotFound(field=())),
    ],
)
async def test_what_cannot_be_filed_leaves_nothing(other: dict[str, Any], refusal: Refusal) -> None:
    [alice] = await open_desk("alice")
    before = await everything_kept()
    with pytest.raises(type(refusal)) as refused:
        await feedback.submit_feedback(replace(saying(alice), **other), now=MONDAY)
    assert refused.value.__dict__ == refusal.__dict__
    assert await everything_kept() == before


async def test_ten_thousand_characters_are_taken() -> None:
    [alice] = await open_desk("alice")
    [message] = await said(await submit(alice, text="字" * 10_000))
    assert message.written == "字" * 10_000


async def test_a_topic_that_is_not_offered_any_more_takes_no_ticket() -> None:
    [alice] = await open_desk("alice")
    [topic] = [one for one in await feedback.topics() if one.code == "points"]
    await feedback.define_topic(replace(topic, active=False), by=CLERK, now=MONDAY)
    assert [one.code for one in await feedback.topics()] == ["delivery"]
    with pytest.raises(TopicUnknown):
        await submit(alice, topic="points")


async def test_an_answer_a_question_and_a_reply_move_the_ticket_and_its_clock() -> None:
    [alice] = await open_desk("alice")
    clerk = await staff("li")
    made = await submit(alice)
    asking = AskMember(ticket_id=made.id, text="Which parcel?", idempotency_key="a-1")
    asked = await feedback.ask_member(asking, by=clerk, now=MONDAY + HOUR / 2)
    assert (asked.status, asked.sla.paused) == (TicketStatus.WAITING_FOR_MEMBER, True)
    assert (asked.sla.answered_at, asked.due_at) == (MONDAY + HOUR / 2, NO_DEADLINE)
    assert asked.assignee_id == clerk.account_id

    back = await reply(made, "The red one.", now=MONDAY + 2 * HOUR)
    assert (back.status, back.sla.paused) == (TicketStatus.OPEN, False)
    # The hour and a half for which it waited is not counted: so much later it is due.
    assert back.sla.resolve_by == back.due_at == MONDAY + 25.5 * HOUR

    answering = AnswerTicket(ticket_id=made.id, text="It is found.", idempotency_key="a-2")
    answered = await feedback.answer_ticket(answering, by=clerk, now=MONDAY + 3 * HOUR)
    assert (answered.status, answered.sla.answered_at) == (
        TicketStatus.ANSWERED,
        MONDAY + HOUR / 2,
    )
    assert await feedback.answer_ticket(answering, by=clerk, now=MONDAY + 4 * HOUR) == answered
    assert [(one.author, one.written) for one in await said(made)] == [
        ("MEMBER", "The parcel did not come."),
        ("STAFF", "Which parcel?"),
        ("MEMBER", "The red one."),
        ("STAFF", "It is found."),
    ]
    inbox = await fetch_all("SELECT kind FROM notification ORDER BY id")
    assert [row["kind"] for row in inbox] == ["TICKET_ASKED", "TICKET_ANSWERED"]


async def test_asked_again_it_has_waited_from_the_first_question_on() -> None:
    [alice] = await open_desk("alice")
    made = await submit(alice)
    for hours, key in ((1, "a"), (2, "b")):
        asking = AskMember(ticket_id=made.id, text="Which?", idempotency_key=key)
        await feedback.ask_member(asking, by=CLERK, now=MONDAY + hours * HOUR)
    [row] = await fetch_all("SELECT paused_at FROM ticket")
    assert row["paused_at"] == MONDAY + HOUR
    back = await reply(made, "That.", now=MONDAY + 3 * HOUR)
    assert back.sla.resolve_by == MONDAY + 26 * HOUR


async def test_resolved_rated_opened_again_and_closed() -> None:
    [alice] = await open_desk("alice")
    made = await submit(alice)
    resolving = ResolveTicket(
        ticket_id=made.id, cause_code="late", text="Delivered.", idempotency_key="r-1"
    )
    done = await feedback.resolve_ticket(resolving, by=CLERK, now=MONDAY + HOUR)
    assert (done.status, done.cause_code, done.due_at) == (
        TicketStatus.RESOLVED,
        "late",
        NO_DEADLINE,
    )
    assert (done.sla.answered_at, done.sla.resolved_at) == (MONDAY + HOUR, MONDAY + HOUR)

    rating = RateTicket(member_id=alice, ticket_id=made.id, experience=4, expectation=5)
    rated = await feedback.rate_ticket(rating, now=MONDAY + 2 * HOUR)
    assert rated.satisfaction == Satisfaction(
        experience=4, expectation=5, text=None, check=None, rated_at=MONDAY + 2 * HOUR
    )
    assert await feedback.rate_ticket(rating, now=MONDAY + 3 * HOUR) == rated
    worse = await feedback.rate_ticket(replace(rating, experience=1), now=MONDAY + 3 * HOUR)
    assert worse.satisfaction is not None
    assert worse.satisfaction.experience == 1
    # What is not mentioned stays as it was said; None takes it back.
    for changed, kept in (
        ({"text": "Fine."}, (5, "Fine.")),
        ({"expectation": None}, (None, "Fine.")),
    ):
        rating = RateTicket(member_id=alice, ticket_id=made.id, experience=2, **changed)
        rated = await feedback.rate_ticket(rating, now=MONDAY + 3 * HOUR)
        assert rated.satisfaction is not None
        assert (rated.satisfaction.expectation, rated.satisfaction.text) == kept

    again = await reply(made, "It is broken.", now=MONDAY + 4 * HOUR)
    assert (again.status, again.reopened, again.sla.resolved_at) == (TicketStatus.OPEN, 1, None)
    # While it was thought done, its clock stood still.
    assert again.sla.resolve_by == MONDAY + 27 * HOUR

    resolving = replace(resolving, idempotency_key="r-2", text=None)
    end = MONDAY + 5 * HOUR
    await feedback.resolve_ticket(resolving, by=CLERK, now=end)
    assert await feedback.close_silent(now=end + REOPENED_WITHIN) == 0
    late = end + REOPENED_WITHIN + HOUR
    with pytest.raises(TicketNotOpen):
        await reply(made, "Too late.", now=late)
    assert await feedback.close_silent(now=late) == 1
    assert await feedback.close_silent(now=late) == 0
    closed = await feedback.find_ticket(made.id)
    assert closed is not None
    assert (closed.status, closed.closed_at) == (TicketStatus.CLOSED, late)


async def test_a_note_is_for_staff_alone() -> None:
    [alice] = await open_desk("alice")
    made = await submit(alice)
    before = await outbox.stream_page(alice, after=0, limit=10)
    noting = NoteTicket(ticket_id=made.id, text="Rude, but right.", idempotency_key="n-1")
    await feedback.note_ticket(noting, by=CLERK, now=MONDAY + HOUR)
    assert len(await said(made)) == 1
    assert [one.internal for one in await said(made, for_staff=True)] == [False, True]
    assert await outbox.stream_page(alice, after=0, limit=10) == before


async def test_who_phoned_has_a_ticket_like_any_other() -> None:
    [alice] = await open_desk("alice")
    clerk = await staff("li")
    command = OpenTicket(
        member=ByExternalReference("alice"),
        kind=FeedbackKind.LOSS,
        topic="points",
        text="500 points are gone.",
        channel=TicketChannel.PHONE,
        idempotency_key="o-1",
    )
    made = await feedback.open_ticket(command, by=clerk, now=MONDAY)
    assert (made.member_id, made.channel, made.assignee_id) == (
        alice,
        TicketChannel.PHONE,
        clerk.account_id,
    )
    assert await feedback.open_ticket(command, by=clerk, now=MONDAY) == made
    assert [one.author for one in await said(made)] == ["MEMBER"]
    own = replace(command, channel=TicketChannel.APP, idempotency_key="o-2")
    with pytest.raises(InvalidInput):
        await feedback.open_ticket(own, by=clerk, now=MONDAY)


async def test_duplicates_are_told_on_in_one_ticket() -> None:
    alice, bob = await open_desk("alice", "bob")
    first, second, third = [await submit(alice, f"k-{n}", text=f"Text {n}") for n in range(3)]
    foreign = await submit(bob)

    def merging(into: UUID, *duplicates: UUID, key: str) -> MergeTickets:
        return MergeTickets(ticket_id=into, duplicate_ids=duplicates, idempotency_key=key)

    await feedback.merge_tickets(merging(second.id, third.id, key="m-1"), by=CLERK, now=MONDAY)
    for wrong in (foreign.id, first.id):
        command = merging(first.id, second.id, wrong, key="m-2")
        with pytest.raises(TicketsNotMergeable):
            await feedback.merge_tickets(command, by=CLERK, now=MONDAY)
    await feedback.merge_tickets(merging(first.id, second.id, key="m-3"), by=CLERK, now=MONDAY)
    assert [one.written for one in await said(first)] == ["Text 0", "Text 1", "Text 2"]
    rows = await fetch_all(
        "SELECT id FROM ticket WHERE merged_into = $1 ORDER BY submitted_at, id", first.id
    )
    assert [row["id"] for row in rows] == [second.id, third.id]
    with pytest.raises(TicketNotOpen) as refused:
        await reply(third, "And?")
    assert refused.value.state == "MERGED"
    assert len(await said(first)) == 3


async def test_the_queue_has_the_most_urgent_first_and_of_them_what_is_due_first() -> None:
    [alice] = await open_desk("alice")
    clerk = await staff("li")
    question = await submit(alice, "k-1", kind=FeedbackKind.QUESTION)
    late = await submit(alice, "k-2", now=MONDAY + HOUR)
    early = await submit(alice, "k-3")
    praise = await submit(alice, "k-4", kind=FeedbackKind.PRAISE, topic="points")

    async def queue(first: int = 10, after: Any = None, **of: Any) -> list[str]:
        page = await feedback.ticket_queue(
            PageRequest(first=first, after=after), of=QueueOf(**of), by=clerk, now=MONDAY
        )
        return [one.number for one in page.items]

    order = [early.number, late.number, question.number, praise.number]
    assert await queue() == order
    assert await queue(2) == order[:2]
    assert await queue(2, feedback.queue_key(late)) == order[2:]
    assert await queue(topic="points") == [praise.number]
    assert await queue(kind=FeedbackKind.COMPLAINT) == order[:2]
    assert await queue(statuses=[TicketStatus.RESOLVED]) == []
    assert await queue(assignee="li") == await queue(assignee="nobody") == []
    command = AssignTicket(ticket_id=late.id, login="li", idempotency_key="as-1")
    await feedback.assign_ticket(command, by=clerk, now=MONDAY)
    assert await queue(assignee="li") == [late.number]
    resolving = ResolveTicket(ticket_id=early.id, cause_code="other", idempotency_key="r-1")
    await feedback.resolve_ticket(resolving, by=clerk, now=MONDAY)
    assert await queue() == order[1:]
    both = [TicketStatus.RESOLVED, TicketStatus.OPEN]
    # What is resolved is not due any more, and stands behind what is of its own urgency.
    assert await queue(statuses=both) == [late.number, early.number, *order[2:]]


async def test_what_staff_cannot_do_changes_nothing() -> None:
    [alice] = await open_desk("alice")
    await staff("zhao", role=StaffRole.MARKETING)
    made = await submit(alice)
    before = await everything_kept()
    nobody = UUID(int=3)
    refused: list[tuple[Callable[[], Awaitable[object]], type[Refusal]]] = [
        (
            lambda: feedback.answer_ticket(
                AnswerTicket(ticket_id=nobody, text="x", idempotency_key="k"),
                by=CLERK,
                now=MONDAY,
            ),
            TicketUnknown,
        ),
        (
            lambda: feedback.resolve_ticket(
                ResolveTicket(ticket_id=made.id, cause_code="rain", idempotency_key="k"),
                by=CLERK,
                now=MONDAY,
            ),
            CauseUnknown,
        ),
        (
            lambda: feedback.reopen_ticket(
                ReopenTicket(ticket_id=made.id, idempotency_key="k"), by=CLERK, now=MONDAY
            ),
            TicketNotOpen,
        ),
        *(
            (
                lambda login=login: feedback.assign_ticket(
                    AssignTicket(ticket_id=made.id, login=login, idempotency_key="k"),
                    by=CLERK,
                    now=MONDAY,
                ),
                AssigneeUnknown,
            )
            for login in ("nobody", "zhao")
        ),
    ]
    for act, refusal in refused:
        with pytest.raises(refusal):
            await act()
    assert await everything_kept() == before


async def test_a_ticket_of_somebody_else_is_none() -> None:
    alice, bob = await open_desk("alice", "bob")
    made = await submit(alice)
    before = await everything_kept()
    with pytest.raises(TicketUnknown):
        await reply(replace(made, member_id=bob), "Mine?")
    with pytest.raises(TicketUnknown):
        await feedback.rate_ticket(
            RateTicket(member_id=bob, ticket_id=made.id, experience=1), now=MONDAY
        )
    assert await feedback.own_ticket(bob, ticket_id=made.id) is None
    assert await everything_kept() == before
