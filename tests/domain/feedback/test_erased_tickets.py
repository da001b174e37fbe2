"""Tickets of somebody who was erased are closed, and hold nobody else's up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from structlog.testing import capture_logs

from domain import custody, feedback
from domain.errors import TicketNotOpen
from domain.feedback import REOPENED_WITHIN, QueueOf, Ticket, TicketStatus
from domain.feedback.acting import lock_any
from domain.files import ErasureJournal, FileStore
from domain.paging import PageRequest
from domain.storage import TransactionContended, fetch_all
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

pytestmark = pytest.mark.usefixtures("database")


async def test_whatever_is_open_of_somebody_is_closed_with_the_erasure(tmp_path: Path) -> None:
    await open_shop()
    alice, bob = await join("alice", "bob")
    opened, asked, done = [await complain(alice, key=f"k-{n}") for n in range(3)]
    of_bob = await complain(bob)
    await ask(asked, now=MORNING)
    for one in (done, of_bob):
        await resolve(one, key=one.number, now=MORNING)
    await custody.erase(
        alice,
        journal=ErasureJournal(tmp_path / "erasures.jsonl"),
        files=FileStore(tmp_path / "files"),
        now=MORNING,
    )
    for one in (opened, asked, done):
        closed = await read(one)
        assert (closed.status, closed.closed_at) == (TicketStatus.CLOSED, MORNING)
        assert not closed.sla.paused
        with pytest.raises(TicketNotOpen):
            await answer(one, now=MORNING)
        assert await feedback.member_of_ticket(one.id) is None
    last = await fetch_all(
        "SELECT kind, actor_kind, facts FROM ticket_event WHERE ticket_id = $1"
        " ORDER BY seq DESC LIMIT 1",
        asked.id,
    )
    assert [(row["kind"], row["actor_kind"], orjson.loads(row["facts"])) for row in last] == [
        ("CLOSED", "SYSTEM", {"status": "CLOSED"})
    ]
    queue = await feedback.ticket_queue(PageRequest(first=9), of=QueueOf(), by=CLERK, now=MORNING)
    assert queue.items == []
    later = MORNING + REOPENED_WITHIN + timedelta(seconds=1)
    assert await feedback.close_silent(now=later) == 1
    assert (await read(of_bob)).status is TicketStatus.CLOSED


async def test_one_ticket_that_cannot_be_closed_does_not_stop_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await open_shop()
    alice, bob = await join("alice", "bob")
    first, second = await complain(alice), await complain(bob)
    for one in (first, second):
        await resolve(one, key=one.number, now=MORNING)

    async def contended(ticket_id: UUID) -> Ticket:
        if ticket_id == first.id:
            raise TransactionContended("joined each time")
        return await lock_any(ticket_id)

    monkeypatch.setattr("domain.feedback.closing.lock_any", contended)
    later = MORNING + REOPENED_WITHIN + timedelta(seconds=1)
    with capture_logs() as logs:
        assert await feedback.close_silent(now=later) == 1
    assert [(one["event"], one["ticket"]) for one in logs] == [("ticket_not_closed", str(first.id))]
    assert (await read(second)).status is TicketStatus.CLOSED
