"""Two processes about the same ticket, the same promise, the last consent: one after the other."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import pytest

from domain import feedback, notifications
from domain.feedback import Act, Ticket, TicketStatus
from domain.feedback.rules import becomes
from domain.ledger import balance, verify_account
from domain.members import IdentityKind
from domain.members.joining import Known, bind
from domain.notifications import (
    AcceptSubscribeMessages,
    Channel,
    OpenChannels,
    accept_subscribe_messages,
    deliveries_consumer,
)
from domain.outbox import drain
from domain.paging import PageRequest
from domain.storage import fetch_all, transaction
from tests.domain.feedback.filing import MORNING, complain, join, open_shop, read
from tests.races.contention import Gate
from tests.races.ticketing import APP_ID, TEMPLATES
from tests.repository.tree import ROOT

NOW: Final = MORNING + timedelta(minutes=5)
LATE: Final = MORNING + timedelta(hours=1, minutes=1)
"""An answer was due a minute ago."""

THE_MEMBER: Final = "SELECT 1 FROM member FOR UPDATE"


@asynccontextmanager
async def process(options: dict[str, Any]) -> AsyncIterator[Process]:
    """A process that is connected and waits for a line."""
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.races.ticketing", orjson.dumps(options).decode()),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        assert await said(made) == "ready"
        yield made
    finally:
        if made.returncode is None:
            made.kill()
        await made.communicate()


async def said(made: Process) -> str:
    """The next line that is no line of the log."""
    assert made.stdout is not None
    async with asyncio.timeout(30):
        while line := (await made.stdout.readline()).decode().strip():
            if line == "ready" or line.startswith("["):
                return line
    raise AssertionError("the process ended without a word")


async def race(
    url: str,
    *sides: Sequence[dict[str, Any]],
    gate: Gate | None,
    hold: str = THE_MEMBER,
    **how: Any,
) -> list[Any]:
    """What the acts of each process came to. Those of the first wait first for what is held."""
    async with AsyncExitStack() as stack:
        made = await asyncio.gather(
            *(
                stack.enter_async_context(process({"url": url, "acts": acts, **how}))
                for acts in sides
            )
        )
        waiting = 0
        if gate is not None:
            await gate.hold(hold)
        for one, acts in zip(made, sides, strict=True):
            assert one.stdin is not None
            one.stdin.write(b"go\n")
            waiting += len(acts)
            if gate is not None:
                await gate.gather(waiting)
        if gate is not None:
            await gate.open(waiting=waiting)
        return [orjson.loads(await said(one)) for one in made]


def act(what: str, ticket: Ticket, key: str, **other: Any) -> dict[str, Any]:
    named = {"ticket": str(ticket.id), "member": str(ticket.member_id)}
    return {"what": what, "key": key, "now": NOW.isoformat(), **named, **other}


async def steps_of(ticket: Ticket) -> list[tuple[Act, TicketStatus]]:
    """What was done to the ticket after it was filed, and where it stood then; none is missing."""
    rows = await fetch_all(
        "SELECT seq, kind, facts FROM ticket_event WHERE ticket_id = $1 ORDER BY seq", ticket.id
    )
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    return [
        (Act(row["kind"]), TicketStatus(orjson.loads(row["facts"])["status"])) for row in rows[1:]
    ]


async def texts_in(ticket: Ticket) -> list[str]:
    found = await feedback.conversations([ticket.id], PageRequest(first=100))
    return [one.written for one in found[ticket.id].items]


@pytest.fixture
async def ticket(postgres: str) -> Ticket:
    await open_shop()
    [alice] = await join("alice")
    return await complain(alice)


async def test_twenty_acts_on_one_ticket_come_one_after_the_other(
    postgres: str, gate: Gate, ticket: Ticket
) -> None:
    whats = (["reply", "answer", "resolve"] * 7)[:20]
    acts = [act(what, ticket, f"{what}-{place}") for place, what in enumerate(whats)]
    came = await race(postgres, acts[::2], acts[1::2], gate=gate)
    assert came == [["OK"] * 10] * 2
    steps = await steps_of(ticket)
    count = Counter(one for one, _ in steps)
    assert count == {Act.REPLIED: 7, Act.ANSWERED: 7, Act.RESOLVED: 6}
    stands, reopened = TicketStatus.OPEN, 0
    for one, then in steps:
        assert becomes(stands, one) is then
        reopened += (stands, then) == (TicketStatus.RESOLVED, TicketStatus.OPEN)
        stands = then
    after = await read(ticket)
    assert (after.version, after.status, after.reopened) == (21, stands, reopened)
    assert (after.sla.answered_at, after.sla.answer_by) == (NOW, ticket.sla.answer_by)
    first, *rest = await texts_in(ticket)
    said_first = [one["key"] for one in acts if one["what"] != "resolve"]
    assert (first, sorted(rest)) == ("Nothing has come.", sorted(said_first))


async def test_one_reply_that_is_sent_twenty_times_is_said_once(
    postgres: str, gate: Gate, ticket: Ticket
) -> None:
    acts = [act("reply", ticket, "again")] * 10
    assert await race(postgres, acts, acts, gate=gate) == [["OK"] * 10] * 2
    assert await texts_in(ticket) == ["Nothing has come.", "again"]
    assert (await read(ticket)).version == 2


@pytest.mark.parametrize("first", ["reply", "merge"])
async def test_a_reply_to_a_duplicate_is_said_before_it_is_told_on_or_not_at_all(
    postgres: str, gate: Gate, ticket: Ticket, first: str
) -> None:
    duplicate = await complain(ticket.member_id, key="complaint-2")
    sides = [
        [act("reply", duplicate, "and more")],
        [act("merge", duplicate, "m", into=str(ticket.id))],
    ]
    in_order = sides if first == "reply" else sides[::-1]
    came = await race(postgres, *in_order, gate=gate)
    both = ["Nothing has come."] * 2
    if first == "reply":
        assert came == [["OK"], ["OK"]]
        assert await texts_in(ticket) == [*both, "and more"]
    else:
        assert came == [["OK"], ["TICKET_NOT_OPEN"]]
        assert await texts_in(ticket) == both
    gone = await read(duplicate)
    assert (gone.status, gone.merged_into) == (TicketStatus.MERGED, ticket.id)
    assert [one for one, _ in await steps_of(duplicate)][-1] is Act.MERGED


@pytest.mark.parametrize("first", ["answer", "watch"])
async def test_an_answer_that_comes_too_late_is_paid_for_once(
    postgres: str, gate: Gate, ticket: Ticket, first: str
) -> None:
    late = {"now": LATE.isoformat()}
    sides = [
        [act("answer", ticket, "a") | late],
        [{"what": "watch", **late}] * 5,
    ]
    in_order = sides if first == "answer" else sides[::-1]
    came = await race(postgres, *in_order, gate=gate)
    [answered], watched = came if first == "answer" else came[::-1]
    assert (answered, sorted(watched)) == ("OK", [0, 0, 0, 0, 50])
    steps = [Act.ANSWERED, Act.ANSWER_MISSED]
    expected = steps if first == "answer" else steps[::-1]
    assert [one for one, _ in await steps_of(ticket)] == expected
    assert await feedback.watch_deadlines(now=LATE, within_s=60) == feedback.Watched()
    assert await verify_account(ticket.member_id) == []
    assert (await balance(ticket.member_id, now=LATE)).available == 50
    after = await read(ticket)
    assert (after.sla.answered_at, after.sla.answer_breached) == (LATE, True)


async def allow_one_and_be_told_two_things(member_id: UUID) -> None:
    known = Known(kind=IdentityKind.WECHAT_OPENID, app_id=APP_ID, subject="o-alice")
    await transaction(lambda: bind(member_id, [known], now=NOW))
    command = AcceptSubscribeMessages(
        member_id=member_id, app_id=APP_ID, template_ids=["t" * 43], idempotency_key="k"
    )
    await accept_subscribe_messages(command, templates=TEMPLATES, now=NOW)
    told = [notifications.Notification(member_id=member_id, kind="TICKET_ANSWERED", facts={})] * 2
    await transaction(lambda: notifications.notify(told, now=NOW))
    opened = OpenChannels(channels=frozenset({Channel.SUBSCRIBE_MESSAGE}), templates=TEMPLATES)
    await drain([deliveries_consumer(opened)], clock=lambda: NOW)


async def test_the_last_consent_is_used_by_one_of_two_senders(postgres: str, gate: Gate) -> None:
    [alice] = await join("alice")
    await allow_one_and_be_told_two_things(alice)
    turn = [{"what": "send", "now": NOW.isoformat()}]
    came = await race(
        postgres, turn, turn, gate=gate, hold="SELECT 1 FROM subscribe_consent FOR UPDATE"
    )
    assert sorted(came) == [[0], [1]]
    rows = await fetch_all("SELECT state, reason FROM notification_delivery ORDER BY state")
    assert [(row["state"], row["reason"]) for row in rows] == [
        ("FAILED", "consent_used_up"),
        ("SENT", None),
    ]
    [row] = await fetch_all("SELECT remaining FROM subscribe_consent")
    assert row["remaining"] == 0


@pytest.mark.faults
async def test_who_believes_what_was_counted_sends_two(postgres: str) -> None:
    [alice] = await join("alice")
    await allow_one_and_be_told_two_things(alice)
    turn = [{"what": "send", "now": NOW.isoformat()}]
    came = await race(postgres, turn, turn, gate=None, plant="believed")
    assert sum(one for [one] in came) == 2
