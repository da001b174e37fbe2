"""Several workers deliver the same streams: each member's events once and in order, from one."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from domain.outbox import Consumer, Delivered, Event, announce, deliver, drain, leases, positions
from domain.storage import fetch_all, transaction
from tests.races.contention import Gate
from tests.races.delivering import Worker, make_heard
from tests.repository.tree import ROOT

WORKERS = 2
MEMBERS = [UUID(int=n) for n in range(1, 31)]
EVENTS_EACH = 30

Tally = Callable[[str, int, int], None]


@asynccontextmanager
async def worker(
    url: str, name: str, *, lease_s: float = 30, **options: Any
) -> AsyncIterator[Process]:
    """A process that is connected and waits for a line."""
    options |= {"url": url, "name": name, "lease_s": lease_s}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.races.delivering", orjson.dumps(options).decode()),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        await said(process, "ready")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: Process, word: str) -> None:
    """Return once the process says this; its log lines come before."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while line := (await process.stdout.readline()).decode().strip():
            if line == word:
                return
    raise AssertionError(f"the worker ended without saying {word}")


async def tell_everybody(times: int) -> None:
    """Events for all members, several members in one transaction, so that streams meet."""

    async def some(members: Sequence[UUID]) -> None:
        now = datetime.now(UTC)
        await announce([Event(kind="A", member_id=one, facts={}) for one in members], now=now)

    for turn in range(times):
        for start in range(0, len(MEMBERS), 10):
            members = MEMBERS[start : start + 10]
            await transaction(lambda m=members[:: (-1) ** turn]: some(m))  # type: ignore[misc]


async def verdict() -> list[str]:
    """What is wrong with what the workers handled."""
    heard: dict[UUID, list[int]] = defaultdict(list)
    for row in await fetch_all("SELECT member_id, seq FROM heard ORDER BY n"):
        heard[row["member_id"]].append(row["seq"])
    return wrong(heard, await positions(MEMBERS))


def wrong(heard: Mapping[UUID, Sequence[int]], told: Mapping[UUID, int]) -> list[str]:
    found = set()
    for member_id, last in told.items():
        seqs = heard.get(member_id, [])
        if set(seqs) != set(range(1, last + 1)):
            found.add("lost")
        if len(seqs) != len(set(seqs)):
            found.add("repeated")
        first_times = list(dict.fromkeys(seqs))
        if first_times != sorted(first_times):
            found.add("out of order")
    return sorted(found)


async def race(url: str, gate: Gate, **options: Any) -> tuple[set[str], int]:
    """Workers who begin at once; which of them handled something, and how many leases met."""
    await make_heard(url)
    await tell_everybody(EVENTS_EACH // 2)
    async with AsyncExitStack() as stack:
        workers = [worker(url, f"worker-{n}", **options) for n in range(WORKERS)]
        processes = await asyncio.gather(*(one.__aenter__() for one in workers))
        for one in workers:
            stack.push_async_exit(one)
        # Whoever recorded would have to wait now, and nobody can claim.
        await gate.hold("SELECT 1 FROM outbox_stream FOR UPDATE")
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        telling = asyncio.create_task(tell_everybody(EVENTS_EACH // 2))
        await gate.open(waiting=1)
        leases = 0
        drained = asyncio.gather(*(said(process, "drained") for process in processes))
        while not drained.done():
            rows = await fetch_all(
                "SELECT COUNT(DISTINCT lease) AS n FROM outbox_stream WHERE lease IS NOT NULL"
            )
            leases = max(leases, rows[0]["n"])
            await asyncio.wait([drained], timeout=0.002)
        await drained
        await telling
    # What was told after the workers had gone.
    last = Worker({"name": "last"})
    await drain([Consumer("worker", None, last.take)], clock=lambda: datetime.now(UTC))
    rows = await fetch_all("SELECT DISTINCT worker FROM heard")
    return {row["worker"] for row in rows}, leases


async def test_members_events_are_handled_once_and_in_order(
    postgres: str, gate: Gate, tally: Tally
) -> None:
    workers, leases = await race(postgres, gate)
    assert await verdict() == []
    assert len(workers - {"last"}) == WORKERS
    # Several had streams at the same time, and wrote while others announced.
    assert leases >= 2
    rows = await fetch_all("SELECT COUNT(*) AS n FROM heard")
    tally("events delivered by workers that race", rows[0]["n"], len(MEMBERS) * EVENTS_EACH)


@pytest.mark.faults
async def test_without_leases_events_are_handled_twice(postgres: str, gate: Gate) -> None:
    await race(postgres, gate, plant="no lease")
    assert "repeated" in await verdict()


async def test_nobody_takes_a_stream_over_while_it_is_recorded(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease may end between the look at it and the record: the row is locked from the look on."""
    taken_over: list[int] = []
    write = leases._STREAMS.update
    competitor = await asyncpg.connect(postgres)
    much_later = datetime.now(UTC) + timedelta(hours=1)

    async def write_late(rows: Any, *, key: Any) -> None:
        found = await competitor.fetch(leases._CLAIM, uuid4(), much_later, much_later, 10)
        taken_over.append(len(found))
        await write(rows, key=key)

    monkeypatch.setattr(leases._STREAMS, "update", write_late)
    await tell_everybody(1)
    now = datetime.now(UTC)
    assert await deliver([], now=now) == Delivered(streams=len(MEMBERS), events=len(MEMBERS))
    await competitor.close()
    assert taken_over == [0]


@pytest.mark.parametrize(
    ("heard", "complaints"),
    [
        ([1, 2, 3], []),
        ([1, 2], ["lost"]),
        ([1, 2, 2, 3], ["repeated"]),
        ([1, 3, 2], ["out of order"]),
        ([1, 2, 3, 1, 2, 3], ["repeated"]),
    ],
)
def test_the_verdict_sees_what_is_wrong(heard: list[int], complaints: list[str]) -> None:
    assert wrong({MEMBERS[0]: heard}, {MEMBERS[0]: 3}) == complaints
