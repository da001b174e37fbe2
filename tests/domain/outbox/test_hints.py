"""The listener for hints outlives whatever befalls its connection, and says so when it must."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, closing
from uuid import UUID

import pytest
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from domain.outbox import Live
from domain.outbox.hints import Hints
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.domain.ledger.commands import ALICE
from tests.servers import OwnRedis

SOON_S = 5.0
"""What is to come at once has come within this time, on a busy machine too."""

RESTARTS = 10
LOSSES = 5
CHANGES_PER_TURN = 5
CHANNEL = f"jifen:live:{ALICE}"


@pytest.fixture
def own_redis(report: ClosingReport) -> Iterator[OwnRedis]:
    """A server of this test's own, which it may stop."""
    executable = shutil.which("redis-server")
    if executable is None:
        part_is_missing(report, "redis", "no redis-server")
    with closing(OwnRedis(executable)) as server:
        yield server


def client(url: str) -> aioredis.Redis:
    """A client like the one that listens in a worker."""
    made: aioredis.Redis = aioredis.Redis.from_url(
        url, socket_timeout=1.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0)
    )
    return made


class Heard:
    """What a listener heard of Alice's stream."""

    def __init__(self) -> None:
        self.newest = 0
        self.news = asyncio.Event()

    def hear(self, member_id: UUID, seq: int) -> None:
        assert member_id == ALICE
        self.newest = seq
        self.news.set()


def ignore(members: Collection[UUID]) -> None:
    """Streams were joined, which nobody waits for."""


@asynccontextmanager
async def joining_and_leaving(hints: Hints) -> AsyncIterator[None]:
    """Others come and go all the time, so that commands are underway at any moment."""

    async def come_and_go() -> None:
        here: list[UUID] = []
        for number in itertools.count(1):
            here.append(UUID(int=number))
            hints.join(here[-1])
            if len(here) > CHANGES_PER_TURN:
                hints.leave(here.pop(0))
            await asyncio.sleep(0.001)

    task = asyncio.create_task(come_and_go())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until_heard(publisher: aioredis.Redis, heard: Heard, *, seq: int) -> None:
    """Publish a hint once somebody listens for it, and wait until it was heard."""
    async with asyncio.timeout(SOON_S):
        for _ in itertools.count():
            if await publisher.pubsub_numsub(CHANNEL) == [(CHANNEL.encode(), 1)]:
                break
    heard.news.clear()
    await publisher.publish(CHANNEL, seq)
    async with asyncio.timeout(1.0):
        await heard.news.wait()
    assert heard.newest == seq


@asynccontextmanager
async def hearing_through(server: OwnRedis, heard: Heard) -> AsyncIterator[asyncio.Task[None]]:
    """The task of a listener for Alice's hints, while others come and go."""
    async with client(server.url) as listening:
        hints = Hints(listening, heard=heard.hear, joined=ignore)
        hints.join(ALICE)
        task = asyncio.create_task(hints.run())
        try:
            async with joining_and_leaving(hints):
                yield task
        finally:
            task.cancel()
            await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.faults
async def test_hints_arrive_after_every_restart_of_redis(own_redis: OwnRedis) -> None:
    heard = Heard()
    async with hearing_through(own_redis, heard) as task:
        for number in range(1, RESTARTS + 1):
            await asyncio.to_thread(own_redis.stop)
            await asyncio.to_thread(own_redis.start_again)
            async with client(own_redis.url) as publisher:
                await until_heard(publisher, heard, seq=number)
            assert not task.done()


async def test_hints_arrive_after_every_loss_of_the_connection(own_redis: OwnRedis) -> None:
    # The server is back before anybody notices, so whoever would connect again by himself can.
    heard = Heard()
    async with hearing_through(own_redis, heard) as task, client(own_redis.url) as publisher:
        for number in range(1, LOSSES + 1):
            await until_heard(publisher, heard, seq=number)
            assert await publisher.client_kill_filter(_type="pubsub") == 1
            assert not task.done()
        await until_heard(publisher, heard, seq=LOSSES + 1)


@pytest.mark.parametrize("fault", [RuntimeError("planted"), AttributeError("planted")])
async def test_a_listener_that_fails_is_logged_and_tried_again(
    own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr("domain.outbox.hints.RETRY_S", 0.01)
    listened = Hints._listen
    tries: list[bool] = []
    again = asyncio.Event()

    async def listen(hints: Hints) -> None:
        tries.append(hints.arriving)
        if len(tries) == 1:
            hints.arriving = True
            raise fault
        again.set()
        await listened(hints)

    monkeypatch.setattr(Hints, "_listen", listen)
    with capture_logs() as logs:
        async with client(own_redis.url) as redis, Live(redis=redis).running():
            async with asyncio.timeout(SOON_S):
                await again.wait()
    assert tries == [False, False], "no hints arrive after a failure"
    assert [(one["event"], one["log_level"]) for one in logs] == [("hints_failed", "error")]
    assert logs[0]["exc_info"] is fault


async def test_a_listener_that_fails_again_and_again_does_not_fill_the_log(
    own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.outbox.hints.RETRY_S", 0.001)
    monkeypatch.setattr("domain.outbox.hints.FAILURES_TOLD_EVERY_S", 3600.0)
    tries = 0
    enough = asyncio.Event()

    async def listen(_: Hints) -> None:
        nonlocal tries
        tries += 1
        if tries == 30:
            monkeypatch.setattr("domain.outbox.hints.FAILURES_TOLD_EVERY_S", 0.0)
        if tries == 31:
            enough.set()
            await asyncio.Event().wait()
        raise RuntimeError("planted")

    monkeypatch.setattr(Hints, "_listen", listen)
    with capture_logs() as logs:
        async with client(own_redis.url) as redis, Live(redis=redis).running():
            async with asyncio.timeout(SOON_S):
                await enough.wait()
    assert [(one["event"], one["failures"]) for one in logs] == [
        ("hints_failed", 1),
        ("hints_failed", 29),
    ]


async def test_a_listener_that_ended_does_not_keep_a_process_from_leaving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = asyncio.Event()
    fault = RuntimeError("planted")

    async def run(hints: Hints) -> None:
        ended.set()
        raise fault

    monkeypatch.setattr(Hints, "run", run)
    with capture_logs() as logs:
        async with client("redis://127.0.0.1:1/0") as redis, Live(redis=redis).running():
            await ended.wait()
    assert [(one["event"], one["exc_info"]) for one in logs] == [("live_task_failed", fault)]


async def test_a_listener_ends_when_told_even_as_its_connection_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = asyncio.Event()

    async def listen(hints: Hints) -> None:
        # As a driver does whose connection fails at the moment of the cancellation.
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("lost") from None

    monkeypatch.setattr(Hints, "_listen", listen)
    begun_at = time.perf_counter()
    async with client("redis://127.0.0.1:1/0") as redis, Live(redis=redis).running():
        await begun.wait()
    assert time.perf_counter() - begun_at < SOON_S
