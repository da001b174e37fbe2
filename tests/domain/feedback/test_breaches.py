"""Deadlines that pass are noted, paid for and told, each once; on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
import pytest
from structlog.testing import capture_logs

from domain import custody
from domain.feedback.breaches import SOURCE_KIND, Watched, deadlines_missed, watch_deadlines
from domain.feedback.replying import RateTicket, ReplyTicket, rate_ticket, reply_ticket
from domain.feedback.tickets import Ticket
from domain.files import ErasureJournal, FileStore
from domain.ledger import (
    NEVER,
    POINTS_MAX,
    Earn,
    Redeem,
    Source,
    balance,
    journal,
    post_one,
)
from domain.members import ById
from domain.paging import PageRequest
from domain.storage import fetch_all
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
DUE: Final = MORNING + timedelta(hours=1)
RESOLVED_BY: Final = MORNING + timedelta(days=1)
NOBODY: Final = Watched()


async def watch(now: datetime) -> Watched:
    return await watch_deadlines(now=now, within_s=60)


@pytest.fixture
async def alice(database: str) -> UUID:
    await open_shop()
    [member_id] = await join("alice")
    return member_id


async def points(member_id: UUID) -> int:
    return (await balance(member_id, now=RESOLVED_BY + timedelta(days=9))).available


async def told(member_id: UUID) -> list[tuple[str, dict[str, Any]]]:
    """The member's inbox but for what staff's own words led to, oldest first."""
    rows = await fetch_all(
        "SELECT kind, facts FROM notification WHERE member_id = $1 AND kind LIKE 'TICKET_%_LATE'"
        " ORDER BY created_at, id",
        member_id,
    )
    return [(row["kind"], orjson.loads(row["facts"])) for row in rows]


async def events(ticket: Ticket) -> list[tuple[str, Any]]:
    rows = await fetch_all(
        "SELECT kind, facts FROM ticket_event WHERE ticket_id = $1 AND actor_kind = 'SYSTEM'"
        " ORDER BY seq",
        ticket.id,
    )
    return [
        (row["kind"], orjson.loads(row["facts"])["points"])
        for row in rows
        if row["kind"] != "CLOSED"
    ]


async def test_a_deadline_that_passes_is_paid_once(alice: UUID) -> None:
    ticket = await complain(alice)
    before = await everything_kept()
    assert await watch(DUE - timedelta(microseconds=1)) == NOBODY
    assert await everything_kept() == before
    assert await deadlines_missed(now=DUE) == 1
    assert await watch(DUE) == Watched(breaches=1, points=50)
    assert await deadlines_missed(now=DUE) == 0
    after = await everything_kept()
    assert await watch(DUE + MINUTE) == NOBODY
    assert await everything_kept() == after
    late = await read(ticket)
    assert (late.sla.answer_breached, late.sla.resolve_breached) == (True, False)
    assert late.version == ticket.version + 1
    assert await points(alice) == 50
    facts = {"ticket": str(ticket.id), "number": ticket.number, "points": 50}
    assert await told(alice) == [("TICKET_ANSWER_LATE", facts)]
    assert await events(ticket) == [("ANSWER_MISSED", 50)]
    [entry] = (await journal(alice, PageRequest(first=2))).items
    assert (entry.source, entry.amount, entry.reason) == (
        Source(kind=SOURCE_KIND, reference=f"{ticket.id}/answer"),
        50,
        f"反馈 {ticket.number} 未按时回复 · {ticket.number} was not answered in time",
    )


async def test_both_promises_may_be_missed(alice: UUID) -> None:
    ticket = await complain(alice)
    assert await watch(RESOLVED_BY) == Watched(breaches=2, points=250)
    assert await points(alice) == 250
    assert await events(ticket) == [("ANSWER_MISSED", 50), ("RESOLVE_MISSED", 200)]


async def test_what_is_done_in_time_is_not_late(alice: UUID) -> None:
    ticket = await complain(alice)
    await answer(ticket, now=DUE - MINUTE)
    await resolve(ticket, now=RESOLVED_BY - MINUTE)
    assert await watch(RESOLVED_BY + timedelta(days=3)) == NOBODY
    assert await points(alice) == 0


async def test_what_is_done_too_late_is_late_however_soon_it_is_looked_at(alice: UUID) -> None:
    """Nobody swept between the deadline and what was done after it."""
    ticket = await complain(alice)
    await answer(ticket, now=DUE + timedelta(seconds=1))
    await resolve(ticket, now=RESOLVED_BY + timedelta(seconds=1))
    assert await watch(RESOLVED_BY + MINUTE) == Watched(breaches=2, points=250)
    late = await read(ticket)
    assert (late.sla.answer_breached, late.sla.resolve_breached) == (True, True)


async def test_a_ticket_that_waits_for_its_member_is_not_late(alice: UUID) -> None:
    ticket = await complain(alice)
    await ask(ticket, now=DUE - MINUTE)
    week = timedelta(days=7)
    assert await watch(MORNING + week) == NOBODY
    reply = ReplyTicket(
        member_id=alice, ticket_id=ticket.id, text="This one.", idempotency_key="reply-1"
    )
    await reply_ticket(reply, now=DUE + week)
    left = (await read(ticket)).sla.resolve_by
    # 59 of the 540 minutes were used up when staff asked.
    assert left == MORNING + week + timedelta(days=1, minutes=1)
    assert await watch(left - MINUTE) == NOBODY
    assert await watch(left) == Watched(breaches=1, points=200)


async def test_one_that_was_asked_about_too_late_is_late_at_once(alice: UUID) -> None:
    ticket = await complain(alice)
    await ask(ticket, now=RESOLVED_BY + MINUTE)
    assert await watch(RESOLVED_BY + 2 * MINUTE) == Watched(breaches=2, points=250)
    assert (await read(ticket)).sla.paused


async def test_the_time_that_it_waited_is_given_to_what_is_resolved_out_of_a_pause(
    alice: UUID,
) -> None:
    ticket = await complain(alice)
    await ask(ticket, now=DUE - MINUTE)
    week = timedelta(days=7)
    done = await resolve(ticket, now=MORNING + week)
    # 59 of the 540 minutes were used up when staff asked; on Monday another 480 were to come.
    assert done.sla.resolve_by == MORNING + week + timedelta(days=1) - 59 * MINUTE
    assert done.sla.resolved_at == MORNING + week
    assert await watch(MORNING + 2 * week) == NOBODY
    assert await points(alice) == 0
    rated = RateTicket(member_id=alice, ticket_id=ticket.id, experience=5)
    kept = await rate_ticket(rated, now=MORNING + week + MINUTE)
    assert kept.sla == done.sla


async def test_who_asks_again_after_the_end_has_not_missed_it(alice: UUID) -> None:
    ticket = await complain(alice)
    await resolve(ticket, now=DUE - MINUTE)
    week = timedelta(days=7)
    waits = await ask(ticket, now=MORNING + week)
    assert (waits.sla.paused, waits.sla.resolved_at) == (True, None)
    assert waits.sla.resolve_by == MORNING + week + timedelta(days=1) - 59 * MINUTE
    assert await watch(MORNING + 2 * week) == NOBODY
    # It waits from its end on: what is asked later does not use up more.
    again = await resolve(ticket, key="resolve-2", now=MORNING + 2 * week)
    assert again.sla.resolve_by == MORNING + 2 * week + timedelta(days=1) - 59 * MINUTE
    assert await watch(MORNING + 3 * week) == NOBODY


async def test_a_pause_after_the_deadline_gives_nothing_back(alice: UUID) -> None:
    """Nobody swept meanwhile: asked too late, and resolved straight out of the pause."""
    ticket = await complain(alice)
    await ask(ticket, now=RESOLVED_BY + MINUTE)
    done = await resolve(ticket, now=RESOLVED_BY + timedelta(days=7))
    assert done.sla.resolve_by == RESOLVED_BY
    assert await watch(RESOLVED_BY + timedelta(days=8)) == Watched(breaches=2, points=250)


async def test_each_ticket_is_paid_for_itself(alice: UUID) -> None:
    [bob] = await join("bob")
    for number in range(3):
        await complain(alice, key=f"complaint-{number}")
    await complain(bob)
    assert await watch(DUE) == Watched(breaches=4, points=200)
    assert (await points(alice), await points(bob)) == (150, 50)


async def test_pages_of_tickets_are_all_looked_at(
    alice: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.feedback.breaches.PAGE", 2)
    for number in range(5):
        await complain(alice, key=f"complaint-{number}")
    assert await watch(DUE) == Watched(breaches=5, points=250)


async def test_what_an_account_cannot_take_is_paid_later_and_holds_nobody_up(alice: UUID) -> None:
    [bob] = await join("bob")
    first = await complain(alice)
    await complain(bob)
    full = Earn(
        member_id=alice,
        points=POINTS_MAX - 49,
        source=Source(kind="test", reference="full"),
        effective_at=MORNING,
        expires_at=NEVER,
    )
    await post_one(full, now=MORNING)
    with capture_logs() as logs:
        assert await watch(DUE) == Watched(breaches=1, points=50, unpaid=1)
    assert [(one["event"], one["ticket"], one["code"]) for one in logs] == [
        ("breach_unpaid", str(first.id), "POINTS_OUT_OF_RANGE")
    ]
    assert not (await read(first)).sla.answer_breached
    assert await told(alice) == []
    source = Source(kind="test", reference="less")
    await post_one(Redeem(member_id=alice, points=1, source=source), now=DUE)
    assert await watch(DUE + MINUTE) == Watched(breaches=1, points=50)
    assert (await read(first)).sla.answer_breached


async def erase(member_id: UUID, tmp_path: Path, *, now: datetime) -> None:
    await custody.erase(
        member_id,
        journal=ErasureJournal(tmp_path / "erasures.jsonl"),
        files=FileStore(tmp_path / "files"),
        now=now,
    )


async def test_of_joined_records_the_one_that_stays_is_paid_and_of_the_erased_nobody(
    alice: UUID, tmp_path: Path
) -> None:
    bob, carol, dave = await join("bob", "carol", "dave")
    of_bob, of_carol, of_dave = [await complain(one) for one in (bob, carol, dave)]
    command = custody.MergeMembers(keep=ById(alice), lose=ById(bob), idempotency_key="merge")
    await custody.merge_members(command, by=CLERK, now=MORNING)
    await erase(carol, tmp_path, now=MORNING)
    await erase(dave, tmp_path, now=DUE)
    assert await watch(DUE) == Watched(breaches=1, points=50)
    assert await points(alice) == 50
    assert (await read(of_bob)).member_id == alice
    # What was missed when somebody went is noted; what was not yet is promised to nobody.
    assert not (await read(of_carol)).sla.answer_breached
    assert (await read(of_dave)).sla.answer_breached
    assert (await told(dave), await events(of_dave)) == ([], [])
    assert await watch(RESOLVED_BY) == Watched(breaches=1, points=200)
    assert await watch(RESOLVED_BY + MINUTE) == NOBODY
