"""Events exist exactly if the effect they tell of does, numbered in the order of the commits."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.outbox import (
    PROGRAMME,
    Event,
    StreamPositionLost,
    announce,
    first_kept,
    on_committed,
    positions,
    stream,
)
from domain.storage import dialect, execute, fetch_all, observed_statements, transaction
from tests.domain.ledger.commands import ALICE, BOB, NOW

pytestmark = pytest.mark.usefixtures("database")


def told(kind: str, member_id: UUID | None = ALICE, **facts: Any) -> Event:
    return Event(kind=kind, member_id=member_id, facts=facts)


async def kinds(member_id: UUID = ALICE) -> list[tuple[int, str]]:
    return [(one.seq, one.kind) for one in await stream(member_id, after=0, limit=100)]


async def test_events_are_written_in_their_order_with_their_facts() -> None:
    events = [told("PointsChanged", seq=n, words="积分") for n in range(300)]
    with observed_statements() as statements:
        await announce([], now=NOW)
        await announce(events, now=NOW)
    assert len(statements) == (1 if dialect() == "postgres" else 2)
    rows = await fetch_all("SELECT * FROM outbox ORDER BY seq")
    assert [orjson.loads(row["payload"]) for row in rows] == [event.facts for event in events]
    assert [row["seq"] for row in rows] == list(range(1, 301))
    assert {(row["kind"], row["member_id"], row["announced_at"]) for row in rows} == {
        ("PointsChanged", ALICE, NOW)
    }


async def test_each_member_has_a_stream_of_their_own_and_the_programme_has_one() -> None:
    await announce([told("A"), told("B", BOB), told("C"), told("D", None)], now=NOW)
    await announce([told("E"), told("F", None)], now=NOW)
    assert await kinds() == [(1, "A"), (2, "C"), (3, "E")]
    assert await kinds(BOB) == [(1, "B")]
    assert await kinds(PROGRAMME) == [(1, "D"), (2, "F")]
    stranger = UUID(int=7)
    assert await positions([ALICE, BOB, PROGRAMME, stranger]) == {
        ALICE: 3,
        BOB: 1,
        PROGRAMME: 2,
        stranger: 0,
    }
    assert await positions([]) == {}


async def test_a_transaction_tells_once_at_its_end_whatever_it_announced_on_the_way() -> None:
    async def inner() -> None:
        await announce([told("B")], now=NOW)

    async def work() -> None:
        await announce([told("A")], now=NOW)
        await transaction(inner)
        await announce([told("C", BOB)], now=NOW)
        assert await fetch_all("SELECT 1 FROM outbox") == []

    with observed_statements() as statements:
        await transaction(work)
    writes = [sql for sql in statements if "INSERT INTO outbox" in sql]
    assert len(writes) == (1 if dialect() == "postgres" else 2)
    assert await kinds() == [(1, "A"), (2, "B")]
    assert await kinds(BOB) == [(1, "C")]


async def test_an_event_of_a_transaction_that_fails_was_never_announced() -> None:
    async def work() -> None:
        await announce([told("A", None)], now=NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transaction(work)
    assert await fetch_all("SELECT 1 FROM outbox") == []
    assert await fetch_all("SELECT 1 FROM outbox_stream") == []
    await announce([told("B", None)], now=NOW)
    assert await kinds(PROGRAMME) == [(1, "B")]


async def test_listeners_hear_whose_streams_grew_after_the_commit_only() -> None:
    heard: list[frozenset[UUID]] = []

    def fail(grown: frozenset[UUID]) -> None:
        raise ZeroDivisionError

    stops = [on_committed(fail), on_committed(heard.append)]
    try:

        async def work() -> None:
            await announce([told("A"), told("B", None)], now=NOW)
            assert heard == []

        async def failing() -> None:
            await work()
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await transaction(failing)
        await transaction(work)
        assert heard == [frozenset({ALICE, PROGRAMME})]
    finally:
        for stop in stops:
            stop()
    await announce([told("C")], now=NOW)
    assert len(heard) == 1


async def test_a_stream_is_read_from_a_position_in_one_statement() -> None:
    await announce([told(f"E{n}") for n in range(1, 8)], now=NOW)
    with observed_statements() as statements:
        page = await stream(ALICE, after=3, limit=2)
    assert len(statements) == 1
    assert [(one.seq, one.kind, one.key) for one in page] == [
        (4, "E4", f"{ALICE}:4"),
        (5, "E5", f"{ALICE}:5"),
    ]
    assert await stream(ALICE, after=7, limit=5) == []
    assert await stream(BOB, after=0, limit=5) == []
    assert await first_kept(ALICE) == await first_kept(BOB) == 0


async def test_a_position_that_is_not_kept_or_never_was_is_told() -> None:
    await announce([told(f"E{n}") for n in range(1, 8)], now=NOW)
    await execute("DELETE FROM outbox WHERE seq <= 4")
    for after in (0, 3, 8, 2**62):
        with pytest.raises(StreamPositionLost):
            await stream(ALICE, after=after, limit=5)
    assert await first_kept(ALICE) == 4
    assert [one.seq for one in await stream(ALICE, after=4, limit=5)] == [5, 6, 7]
    await execute("DELETE FROM outbox")
    with pytest.raises(StreamPositionLost):
        await stream(ALICE, after=6, limit=5)
    assert await first_kept(ALICE) == 7
    assert await stream(ALICE, after=7, limit=5) == []
    with pytest.raises(StreamPositionLost):
        await stream(BOB, after=1, limit=5)


@pytest.mark.parametrize("rounds", [20])
async def test_numbers_follow_the_commits_without_a_gap(rounds: int) -> None:
    """A reader never sees a number whose predecessors it cannot see.

    Writers announce early and go on with other work, so that they commit in another order than
    they announced.
    """
    lost: list[int] = []
    done = asyncio.Event()

    async def write(n: int) -> None:
        async def work() -> None:
            await announce([told(f"W{n}"), told(f"W{n}b", BOB)], now=NOW)
            for _ in range(n % 5):
                await fetch_all("SELECT 1 AS one")

        await transaction(work)

    async def read() -> None:
        seen = 0
        while not done.is_set():
            # A gap would raise StreamPositionLost.
            page = await stream(ALICE, after=seen, limit=100)
            seen += len(page)
            lost.extend(one.seq for one in page if one.seq > seen)

    reader = asyncio.create_task(read())
    for _ in range(rounds):
        await asyncio.gather(*(write(n) for n in range(8)))
    done.set()
    await reader
    assert lost == []
    assert await positions([ALICE, BOB]) == {ALICE: 8 * rounds, BOB: 8 * rounds}
