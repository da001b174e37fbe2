"""Ten workers in two processes find the same broken promises: each is paid once."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.ledger import balance, verify_account
from domain.storage import fetch_all
from tests.domain.feedback.filing import MORNING, complain, join, open_shop
from tests.races.contention import Gate
from tests.repository.tree import ROOT

NOW = MORNING + timedelta(hours=2)
PROCESSES = 2
WORKERS_EACH = 5
TICKETS_EACH = 3


@asynccontextmanager
async def process(options: dict[str, Any]) -> AsyncIterator[Process]:
    """A process that is connected and waits for a line."""
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.races.breaching", orjson.dumps(options).decode()),
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
            if line == "ready" or line.startswith("[["):
                return line
    raise AssertionError("the worker ended without a word")


async def race(url: str, gate: Gate, **options: Any) -> tuple[Sequence[UUID], list[Any]]:
    """Members with broken promises, and what each of ten workers did about them at once."""
    await open_shop()
    members = await join("alice", "bob")
    for member_id in members:
        for number in range(TICKETS_EACH):
            await complain(member_id, key=f"complaint-{number}")
    options |= {"url": url, "now": NOW.isoformat(), "workers": WORKERS_EACH}
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(process(options)) for _ in range(PROCESSES)]
        # All of them have found the first ticket, and wait for its member.
        await gate.hold("SELECT 1 FROM member FOR UPDATE")
        for one in made:
            assert one.stdin is not None
            one.stdin.write(b"go\n")
        await gate.open(waiting=PROCESSES * WORKERS_EACH)
        done = [orjson.loads(await said(one)) for one in made]
    return members, [worker for workers in done for worker in workers]


async def paid(member_id: UUID) -> int:
    """The points of an account that is sound."""
    assert await verify_account(member_id) == []
    return (await balance(member_id, now=NOW)).available


async def test_a_broken_promise_is_paid_once_under_ten_workers(postgres: str, gate: Gate) -> None:
    members, workers = await race(postgres, gate)
    assert len(workers) == 10
    breaches, points, unpaid = map(sum, zip(*workers, strict=True))
    assert (breaches, points, unpaid) == (2 * TICKETS_EACH, 2 * TICKETS_EACH * 50, 0)
    assert [await paid(one) for one in members] == [TICKETS_EACH * 50] * 2
    rows = await fetch_all(
        "SELECT ticket_id, COUNT(*) AS events FROM ticket_event WHERE kind = 'ANSWER_MISSED'"
        " GROUP BY ticket_id"
    )
    assert [row["events"] for row in rows] == [1] * 2 * TICKETS_EACH
    rows = await fetch_all(
        "SELECT COUNT(*) AS told FROM notification WHERE kind = 'TICKET_ANSWER_LATE'"
    )
    assert rows[0]["told"] == 2 * TICKETS_EACH


@pytest.mark.faults
async def test_who_does_not_look_again_under_the_lock_pays_twice(postgres: str, gate: Gate) -> None:
    members, workers = await race(postgres, gate, plant="not looked at again")
    assert sum(points for _, points, _ in workers) > 2 * TICKETS_EACH * 50
    assert await paid(members[0]) > TICKETS_EACH * 50
