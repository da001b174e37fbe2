"""What was promised of duplicates is kept by the ticket in which they are told on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import pytest

from domain import feedback, outbox
from domain.errors import PointsOutOfRange
from domain.feedback import (
    AssignTicket,
    FeedbackKind,
    MergeTickets,
    SubmitFeedback,
    Ticket,
    TicketStatus,
    Watched,
    watch_deadlines,
)
from domain.ledger import NEVER, POINTS_MAX, Earn, Source, balance, post_one
from domain.storage import fetch_all
from tests.domain.feedback.desk import staff
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
from tests.domain.rewards.counter import CLERK
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
DUE: Final = MORNING + timedelta(hours=1)
"""When a complaint of Monday morning is to be answered."""


async def question(member_id: UUID, *, now: datetime = MORNING) -> Ticket:
    """An answer is promised in 480 minutes, the end in 2,160; nothing is paid."""
    return await tell_us(member_id, FeedbackKind.QUESTION, now=now)


async def praise(member_id: UUID, *, now: datetime = MORNING) -> Ticket:
    """The least of all."""
    return await tell_us(member_id, FeedbackKind.PRAISE, now=now)


async def tell_us(member_id: UUID, kind: FeedbackKind, *, now: datetime) -> Ticket:
    command = SubmitFeedback(
        member_id=member_id,
        kind=kind,
        topic="delivery",
        text="It is about a parcel.",
        idempotency_key=kind.value,
    )
    return await feedback.submit_feedback(command, now=now)


async def told_on(into: Ticket, *duplicates: Ticket, now: datetime) -> Ticket:
    command = MergeTickets(
        ticket_id=into.id, duplicate_ids=[one.id for one in duplicates], idempotency_key="merge"
    )
    return await feedback.merge_tickets(command, by=CLERK, now=now)


async def events(ticket: Ticket) -> list[tuple[str, Any]]:
    """What happened to it since it was filed."""
    rows = await fetch_all(
        "SELECT kind, facts FROM ticket_event WHERE ticket_id = $1 AND seq > 1 ORDER BY seq",
        ticket.id,
    )
    return [(row["kind"], orjson.loads(row["facts"])) for row in rows]


async def points(member_id: UUID) -> int:
    return (await balance(member_id, now=DUE)).available


@pytest.fixture
async def alice(database: str) -> UUID:
    await open_shop()
    [member_id] = await join("alice")
    return member_id


async def test_what_was_missed_of_a_duplicate_is_paid_in_the_merge(alice: UUID) -> None:
    """Nobody swept between the deadline and the merge."""
    duplicate, into = await complain(alice), await question(alice)
    await told_on(into, duplicate, now=DUE + timedelta(seconds=30))
    assert (await read(duplicate)).sla.answer_breached
    assert await points(alice) == 50
    assert await events(duplicate) == [
        ("ANSWER_MISSED", {"status": "OPEN", "points": 50}),
        ("MERGED", {"status": "MERGED", "into": str(into.id)}),
    ]
    told = await fetch_all("SELECT kind FROM notification WHERE member_id = $1", alice)
    assert [row["kind"] for row in told] == ["TICKET_ANSWER_LATE"]
    # What was missed there is not missed here once more; the end is still promised.
    assert await watch_deadlines(now=DUE + MINUTE, within_s=60) == Watched()
    assert await watch_deadlines(now=MORNING + DAY, within_s=60) == Watched(
        breaches=2, points=50 + 200
    )


async def test_what_cannot_be_paid_is_not_merged(alice: UUID) -> None:
    duplicate, into = await complain(alice), await question(alice)
    full = Earn(
        member_id=alice,
        points=POINTS_MAX - 49,
        source=Source(kind="test", reference="full"),
        effective_at=MORNING,
        expires_at=NEVER,
    )
    await post_one(full, now=MORNING)
    before = await everything_kept()
    with pytest.raises(PointsOutOfRange):
        await told_on(into, duplicate, now=DUE)
    assert await everything_kept() == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_the_ticket_that_goes_on_has_the_earlier_deadlines_and_the_higher_priority(
    alice: UUID, order: Sequence[int]
) -> None:
    both = [await complain(alice), await question(alice)]
    into, duplicate = (both[place] for place in order)
    made = await told_on(into, duplicate, now=MORNING + MINUTE)
    complaint = both[0]
    assert (made.sla.answer_by, made.sla.resolve_by) == (DUE, MORNING + DAY)
    assert (made.due_at, made.priority) == (DUE, complaint.priority)
    assert complaint.priority > both[1].priority
    assert made.version == into.version + 1
    assert await events(made) == [
        ("TOOK_OVER", {"status": "OPEN", "duplicates": [str(duplicate.id)]})
    ]
    # Who follows the ticket is told: there is more in it now.
    told = (await outbox.stream_page(alice, after=0, limit=20)).events
    assert [one.facts["act"] for one in told if one.facts.get("ticket") == str(into.id)] == [
        *("SUBMITTED", "TOOK_OVER")
    ]
    assert await watch_deadlines(now=MORNING + DAY, within_s=60) == Watched(
        breaches=2, points=50 + 200
    )


async def test_a_promise_goes_over_with_the_time_that_is_left_of_it(alice: UUID) -> None:
    into = await question(alice)
    await ask(into, now=MORNING + 10 * MINUTE)
    duplicate = await complain(alice, now=MORNING + 20 * MINUTE)
    await answer(duplicate, now=MORNING + 30 * MINUTE)
    waits = await told_on(into, duplicate, now=MORNING + 50 * MINUTE)
    assert waits.status is TicketStatus.WAITING_FOR_MEMBER
    # As seen from when it began to wait: 510 of its 540 minutes are left.
    assert waits.sla.resolve_by == MORNING + DAY - 20 * MINUTE
    again = await resolve(into, now=MORNING + DAY)
    assert again.sla.resolve_by == MORNING + 2 * DAY - 30 * MINUTE
    # It was answered; that is not promised once more.
    assert again.sla.answer_by == into.sla.answer_by
    assert await watch_deadlines(now=MORNING + 9 * DAY, within_s=60) == Watched()


async def test_the_log_tells_what_was_merged_into_what_and_who_has_it_in_hand(alice: UUID) -> None:
    clerk = await staff("li")
    duplicate, into = await complain(alice), await question(alice)
    await told_on(into, duplicate, now=MORNING)
    given = AssignTicket(ticket_id=into.id, login="li", idempotency_key="assign")
    assigned = await feedback.assign_ticket(given, by=CLERK, now=MORNING)
    await resolve(into, now=MORNING)
    rows = await fetch_all(
        "SELECT action, after FROM audit_entry WHERE action LIKE 'ticket.%' ORDER BY seq"
    )
    named = {"ticket": str(into.id)}
    assert [(row["action"], orjson.loads(row["after"])) for row in rows] == [
        ("ticket.merge", {**named, "duplicate_ids": [str(duplicate.id)]}),
        ("ticket.assign", {**named, "login": "li"}),
        ("ticket.resolve", {**named, "cause": "late"}),
    ]
    assert (assigned.assignee_id, (await events(into))[1]) == (
        clerk.account_id,
        ("ASSIGNED", {"status": "OPEN", "assignee": str(clerk.account_id)}),
    )


STOOD = {"answered": "ANSWERED", "asked": "WAITING_FOR_MEMBER", "resolved": "RESOLVED"}


@pytest.mark.parametrize("stood", STOOD)
async def test_what_waits_for_us_still_does_in_the_ticket_that_goes_on(
    alice: UUID, stood: str
) -> None:
    """Praise that was served; a complaint that nobody has answered is merged into it."""
    into = await praise(alice)
    serve = {"answered": answer, "asked": ask, "resolved": resolve}[stood]
    into = await serve(into, now=MORNING + MINUTE)
    duplicate = await complain(alice, now=MORNING + 10 * MINUTE)
    made = await told_on(into, duplicate, now=MORNING + 40 * MINUTE)
    assert (into.status, made.status) == (STOOD[stood], "OPEN")
    assert (made.kind, made.priority) == (FeedbackKind.COMPLAINT, duplicate.priority)
    # The clock of the complaint went on all the time.
    assert duplicate.sla.resolve_by == MORNING + DAY + 10 * MINUTE
    assert (made.sla.resolve_by, made.due_at) == (duplicate.sla.resolve_by,) * 2
    assert (made.sla.resolved_at, made.sla.paused) == (None, False)
    assert made.reopened == (stood == "resolved")
    assert (await events(made))[-1] == (
        "OPENED_BY_MERGE",
        {"status": "OPEN", "duplicates": [str(duplicate.id)]},
    )
    told = await fetch_all(
        "SELECT facts FROM notification WHERE member_id = $1 AND kind = 'TICKET_REOPENED'", alice
    )
    assert [orjson.loads(row["facts"]) for row in told] == [
        {"number": made.number, "ticket": str(made.id)}
    ]
    assert await watch_deadlines(now=made.due_at, within_s=60) == Watched(breaches=1, points=200)


async def test_what_does_not_wait_for_us_opens_nothing_and_what_is_stricter_stays(
    alice: UUID,
) -> None:
    into, duplicate = await complain(alice), await praise(alice)
    await answer(duplicate, now=MORNING + MINUTE)
    before = await resolve(into, now=MORNING + MINUTE)
    made = await told_on(into, duplicate, now=MORNING + 2 * MINUTE)
    assert (made.status, made.kind, made.sla, made.reopened) == (
        TicketStatus.RESOLVED,
        FeedbackKind.COMPLAINT,
        before.sla,
        0,
    )
    kinds = await fetch_all("SELECT kind FROM notification WHERE member_id = $1", alice)
    assert "TICKET_REOPENED" not in {row["kind"] for row in kinds}
