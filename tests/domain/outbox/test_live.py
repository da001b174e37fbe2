"""Streams followed as they grow: every event once and in order, with hints and without."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import count as turns
from uuid import UUID

import pytest
from redis import asyncio as aioredis

from domain import storage
from domain.outbox import (
    Announced,
    Event,
    Live,
    StreamPositionLost,
    announce,
    publish_hints,
    stream,
)
from domain.storage import dialect, observed_statements
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.domain.ledger.commands import ALICE, BOB, NOW
from tests.repository.tree import ROOT

SOON_S = 5.0
"""What is to come at once has come within this time, on a busy machine too."""


@pytest.fixture
async def connected(sqlite_url: str) -> AsyncIterator[str]:
    await storage.connect(sqlite_url)
    yield sqlite_url
    await storage.close()


@pytest.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[str]:
    await storage.connect(postgres_url)
    yield postgres_url
    await storage.close()


@pytest.fixture
def real_redis_url(redis_url: str, report: ClosingReport) -> str:
    if redis_url == "memory://":
        part_is_missing(report, "redis", "a fake has no connections to lose")
    return redis_url


def told(kind: str, member_id: UUID = ALICE, **facts: int) -> Event:
    return Event(kind=kind, member_id=member_id, facts=facts)


async def take(followed: AsyncGenerator[Announced, None], count: int) -> list[tuple[int, str]]:
    """The next events, so many."""
    async with asyncio.timeout(SOON_S):
        return [(one.seq, one.kind) for one in [await anext(followed) for _ in range(count)]]


@asynccontextmanager
async def announcing(url: str, member_id: UUID) -> AsyncIterator[Process]:
    """Another process that announces what it is told to."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.domain.outbox.announcing", url, str(member_id)),
        stdin=PIPE,
        stdout=PIPE,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0


async def announce_there(process: Process, kind: str, count: int = 1) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{kind} {count}\n".encode())
    assert await process.stdout.readline() == b"done\n"


async def test_what_is_there_comes_first_and_then_what_happens(database: str) -> None:
    await announce([told("A"), told("B"), told("C", BOB)], now=NOW)
    live = Live()
    async with live.running(), aclosing(live.follow(ALICE, after=0)) as followed:
        assert await take(followed, 2) == [(1, "A"), (2, "B")]
        for n in range(3):
            await announce([told("D", n=n), told("E", BOB)], now=NOW)
        assert await take(followed, 3) == [(3, "D"), (4, "D"), (5, "D")]
    assert live.followed == 0


async def test_following_goes_on_after_a_position_and_keeps_to_its_kinds(database: str) -> None:
    await announce([told("A"), told("B"), told("A"), told("B")], now=NOW)
    live = Live()
    only = frozenset({"B"})
    async with live.running(), aclosing(live.follow(ALICE, after=2, kinds=only)) as followed:
        assert await take(followed, 1) == [(4, "B")]
        await announce([told("A"), told("C"), told("B")], now=NOW)
        assert await take(followed, 1) == [(7, "B")]


async def test_more_than_one_read_gives_comes_whole(database: str) -> None:
    await announce([told("A", n=n) for n in range(250)], now=NOW)
    live = Live()
    async with live.running(), aclosing(live.follow(ALICE, after=0)) as followed:
        with observed_statements() as statements:
            assert await take(followed, 250) == [(n, "A") for n in range(1, 251)]
        assert len(statements) == 3


async def test_many_follow_one_stream_each_from_where_they_are(database: str) -> None:
    await announce([told("A"), told("B")], now=NOW)
    live = Live()
    async with (
        live.running(),
        aclosing(live.follow(ALICE, after=0)) as first,
        aclosing(live.follow(ALICE, after=1)) as second,
    ):
        assert await take(first, 2) == [(1, "A"), (2, "B")]
        assert await take(second, 1) == [(2, "B")]
        waiting = [asyncio.create_task(take(one, 1)) for one in (first, second)]
        await asyncio.sleep(0)
        assert live.followed == 1
        await announce([told("C")], now=NOW)
        assert await asyncio.gather(*waiting) == [[(3, "C")], [(3, "C")]]


@pytest.mark.parametrize("after", [3, 10**15])
async def test_a_position_that_never_was_cannot_be_followed(database: str, after: int) -> None:
    await announce([told("A"), told("B")], now=NOW)
    live = Live()
    async with aclosing(live.follow(ALICE, after=after)) as followed:
        with pytest.raises(StreamPositionLost):
            await anext(followed)
    assert live.followed == 0


async def test_whoever_follows_reads_nothing_while_nothing_happens(database: str) -> None:
    live = Live()
    async with live.running(), aclosing(live.follow(ALICE, after=0)) as followed:
        await announce([told("A")], now=NOW)
        await take(followed, 1)
        waiting = asyncio.create_task(take(followed, 1))
        await asyncio.sleep(0)
        with observed_statements() as statements:
            for _ in range(10):
                await announce([told("X", BOB)], now=NOW)
        per_event = 1 if dialect() == "postgres" else 2
        assert len(statements) == 10 * per_event, "the announcements alone"
        await announce([told("B")], now=NOW)
        assert await waiting == [(2, "B")]


async def test_what_another_process_wrote_is_found_without_any_hint(
    postgres_database: str,
) -> None:
    live = Live()
    async with (
        announcing(postgres_database, ALICE) as there,
        live.running(),
        aclosing(live.follow(ALICE, after=0)) as followed,
    ):
        waiting = asyncio.create_task(take(followed, 3))
        await announce_there(there, "A", 3)
        assert await waiting == [(1, "A"), (2, "A"), (3, "A")]


async def test_a_hint_brings_what_another_process_wrote_at_once(
    connected: str, real_redis_url: str
) -> None:
    subscriber, publisher = real_client(real_redis_url), real_client(real_redis_url)
    live = Live(redis=subscriber)
    async with (
        subscriber,
        publisher,
        announcing(connected, ALICE) as there,
        live.running(),
        aclosing(live.follow(ALICE, after=0)) as followed,
    ):
        waiting = asyncio.create_task(take(followed, 1))
        await until_followed(publisher, count=1)
        await announce_there(there, "A")
        begun_at = time.perf_counter()
        await publish_hints(publisher, await stream(ALICE, after=0, limit=10))
        assert await waiting == [(1, "A")]
        assert time.perf_counter() - begun_at < 0.9, "earlier than any comparison of positions"
        await followed.aclose()
        await until_followed(publisher, count=0)


async def test_nobody_waits_for_a_redis_that_is_not_there(database: str) -> None:
    nowhere = real_client("redis://127.0.0.1:1/0")
    await announce([told("A")], now=NOW)
    await publish_hints(nowhere, await stream(ALICE, after=0, limit=10))
    live = Live(redis=nowhere)
    async with nowhere, live.running(), aclosing(live.follow(ALICE, after=0)) as followed:
        assert await take(followed, 1) == [(1, "A")]
        await announce([told("B")], now=NOW)
        assert await take(followed, 1) == [(2, "B")]


def real_client(url: str) -> aioredis.Redis:
    client: aioredis.Redis = aioredis.Redis.from_url(url, socket_timeout=1.0)
    return client


async def until_followed(redis: aioredis.Redis, *, count: int) -> None:
    """Wait until so many listen for Alice's hints."""
    channel = f"jifen:live:{ALICE}"
    async with asyncio.timeout(SOON_S):
        for _ in turns():
            if await redis.pubsub_numsub(channel) == [(channel.encode(), count)]:
                return
