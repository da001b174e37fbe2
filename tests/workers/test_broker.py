"""The queue on a real Redis: read once, never lost before a worker came, mended when emptied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from redis import asyncio as aioredis
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs
from taskiq import BrokerMessage

from api.workers import broker as broker_module
from api.workers.broker import GROUP, QUEUE, StreamBroker


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "RETRY_S", 0.05)
    monkeypatch.setattr(broker_module, "BLOCK_S", 0.2)


@pytest.fixture
def real_redis_url(redis_url: str) -> str:
    if redis_url == "memory://":
        pytest.skip("a stream needs a real Redis")
    return redis_url


@asynccontextmanager
async def broker(url: str) -> AsyncIterator[StreamBroker]:
    opened = StreamBroker(url)
    await opened.startup()
    try:
        yield opened
    finally:
        await opened.shutdown()


def message(n: int) -> BrokerMessage:
    return BrokerMessage(task_id=str(n), task_name="task", message=f"{n}".encode(), labels={})


class Ears:
    """What listeners have heard together."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self._news = asyncio.Event()

    async def listen(self, one: StreamBroker) -> None:
        async with aclosing(one.listen()) as messages:
            async for each in messages:
                assert isinstance(each, bytes)
                self.heard.append(int(each))
                self._news.set()

    @asynccontextmanager
    async def open(self, *brokers: StreamBroker) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.listen(one)) for one in brokers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()


async def test_workers_share_what_was_sent_before_and_while_they_listen(
    real_redis_url: str, redis: aioredis.Redis
) -> None:
    ears = Ears()
    async with broker(real_redis_url) as gateway:
        for n in range(20):
            await gateway.kick(message(n))
        async with (
            broker(real_redis_url) as one,
            broker(real_redis_url) as two,
            ears.open(one, two),
        ):
            for n in range(20, 60):
                await gateway.kick(message(n))
            await ears.wait_for(60)
    assert sorted(ears.heard) == list(range(60))
    # Nothing is left to acknowledge or to reclaim, whoever died.
    groups = await redis.xinfo_groups(QUEUE)
    assert [(group["name"], group["pending"]) for group in groups] == [(GROUP.encode(), 0)]


async def test_an_emptied_server_is_listened_to_again(
    real_redis_url: str, redis: aioredis.Redis
) -> None:
    ears = Ears()
    async with broker(real_redis_url) as one, ears.open(one):
        with capture_logs() as logs:
            await one.kick(message(1))
            await ears.wait_for(1)
            await redis.flushall()
            await one.kick(message(2))
            await ears.wait_for(2)
    assert ears.heard == [1, 2]
    assert [line["event"] for line in logs] == ["queue_failed", "queue_is_back"]


async def test_a_queue_that_nobody_reads_stays_short(
    real_redis_url: str, redis: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "MESSAGES_KEPT", 100)
    async with broker(real_redis_url) as one:
        for n in range(400):
            await one.kick(message(n))
    # The server drops whole nodes of a hundred.
    assert 100 <= await redis.xlen(QUEUE) <= 200


async def test_a_server_that_is_not_there_is_soon_found_out() -> None:
    async with broker("redis://127.0.0.1:1/0") as one:
        with pytest.raises(RedisConnectionError):
            await one.kick(message(1))
