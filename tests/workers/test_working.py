"""Background work as a whole, inside a process: with a queue of its own, and with a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import asyncio as aioredis

from api.custody.settings import CustodySettings
from api.settings import Settings
from api.workers.broker import QUEUE
from api.workers.running import background, working
from api.workers.settings import WorkSettings
from domain.clock import Clock
from domain.outbox import Announced, Consumer, announcing, outbox_status
from domain.storage import connection_statistics, fetch_all
from tests.domain.outbox.listening import tell

pytestmark = pytest.mark.usefixtures("database")

SELDOM = WorkSettings(poll_s=60)
"""Nobody looks without being told."""


@pytest.fixture(params=["memory", "redis"])
def queue_url(request: pytest.FixtureRequest) -> str:
    """A queue inside the process, and a real one."""
    if request.param == "memory":
        return "memory://"
    url: str = request.getfixturevalue("redis_url")
    if url == "memory://":
        pytest.skip("a stream needs a real Redis")
    return url


def settings(redis_url: str, work: WorkSettings = SELDOM, **values: Any) -> Settings:
    # A folder that is not there: no job of a test may tidy up a developer's.
    custody = CustodySettings(files_path=Path("/nonexistent"), erasures_path=Path("/nonexistent/e"))
    return Settings(redis_url=redis_url, work=work, custody=custody, **values)


JOBS = [
    "audit-changes",
    "audit-everything",
    "close-tickets",
    "erase-members",
    "evaluate-levels",
    "forget-deliveries",
    "forget-events",
    "forget-game-events",
    "forget-sign-in-codes",
    "forget-webhooks",
    "reconcile-games",
    "refresh-recommendations",
    "refresh-shelves",
    "send-letters",
    "sweep-attachments",
    "sweep-points",
    "tell-expiring",
    "train-recommendations",
    "watch-deadlines",
    "write-exports",
]


class Heard:
    """A consumer that lets one wait for what it hears."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._news = asyncio.Event()
        # Jobs announce things of their own.
        self.consumer = Consumer("heard", frozenset("A12345"), self._take)

    async def _take(self, events: Sequence[Announced]) -> None:
        self.kinds += [event.kind for event in events]
        self._news.set()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.kinds) < count:
                self._news.clear()
                await self._news.wait()


async def jobs_are_done() -> None:
    """Return once each recurring job has been done."""
    done = "SELECT job FROM schedule_slot WHERE finished_at IS NOT NULL ORDER BY job"
    async with asyncio.timeout(10):
        while len(await fetch_all(done)) < len(JOBS):  # noqa: ASYNC110 - a row tells nobody
            await asyncio.sleep(0.005)
    assert [row["job"] for row in await fetch_all(done)] == JOBS


async def test_what_is_announced_is_delivered_at_once(queue_url: str) -> None:
    heard = Heard()
    before = asyncio.all_tasks()
    async with working(settings(queue_url), clock=Clock(), consumers=[heard.consumer]):
        loop = asyncio.get_running_loop()
        waits = []
        for n in range(1, 6):
            started_at = loop.time()
            await tell(f"{n}")
            await heard.wait_for(n)
            waits.append(loop.time() - started_at)
        await jobs_are_done()
    assert heard.kinds == list("12345")
    # Without the nudge it would take a minute.
    assert max(waits) < 2
    # Nothing is left behind: no task, no listener, no connection.
    assert asyncio.all_tasks() == before
    assert announcing._listeners == []
    statistics = connection_statistics()
    assert statistics["idle"] == statistics["open"]


async def test_what_nobody_was_told_of_is_found() -> None:
    await tell("A")
    heard = Heard()
    often = WorkSettings(poll_s=0.02)
    async with working(settings("memory://", often), clock=Clock(), consumers=[heard.consumer]):
        await heard.wait_for(1)


async def test_without_redis_everything_is_done_all_the_same() -> None:
    heard = Heard()
    away = settings("redis://127.0.0.1:1/0")
    async with working(away, clock=Clock(), consumers=[heard.consumer]):
        await tell("A")
        await heard.wait_for(1)
        await jobs_are_done()


PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "database_url": "postgres://db.example/jifen",
    "issuer": "https://jifen.example",
    "key_set_path": "keys.json",
    "wechat_base_url": "https://api.weixin.qq.com",
    "wechat_apps": {"wx0123456789abcdef": "of the mini-program"},
}


async def test_a_gateway_in_production_nudges_and_its_worker_delivers(
    redis_url: str, redis: aioredis.Redis
) -> None:
    if redis_url == "memory://":
        pytest.skip("two processes need a real Redis")
    heard = Heard()
    gateway = settings(redis_url, **PRODUCTION)
    async with background(gateway, clock=Clock(), consumers=[heard.consumer]):
        await tell("A")
        async with asyncio.timeout(10):
            # Another process would read it meanwhile: there is nothing here to wait on.
            while not await redis.exists(QUEUE):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert await redis.xlen(QUEUE) == 1
    assert heard.kinds == []
    # Nobody told this worker itself, and it would not look for a minute.
    async with working(settings(redis_url), clock=Clock(), consumers=[heard.consumer]):
        await heard.wait_for(1)


async def test_a_gateway_that_is_told_to_leaves_the_work_to_others() -> None:
    heard = Heard()
    idle = settings("memory://", WorkSettings(in_process=False, poll_s=0.01))
    async with background(idle, clock=Clock(), consumers=[heard.consumer]):
        await tell("A")
        await asyncio.sleep(0.05)
    assert (heard.kinds, (await outbox_status()).undelivered) == ([], 1)


async def test_work_that_does_not_end_in_time_is_cut_off_and_left_for_the_next() -> None:
    begun = asyncio.Event()

    async def hang(_: Sequence[Announced]) -> None:
        begun.set()
        await asyncio.Event().wait()

    await tell("A")
    hasty = WorkSettings(poll_s=0.01, stop_s=0.05)
    async with working(
        settings("memory://", hasty), clock=Clock(), consumers=[Consumer("hanging", None, hang)]
    ):
        await asyncio.wait_for(begun.wait(), 10)
    heard = Heard()
    async with working(settings("memory://", hasty), clock=Clock(), consumers=[heard.consumer]):
        await heard.wait_for(1)
