"""`python -m api.cli work` as operators run it: told to stop, while Redis comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from api.settings import Settings
from api.workers.running import background
from api.workers.settings import WorkSettings
from domain import members, storage
from domain.clock import Clock
from domain.outbox import Event, announce, outbox_status
from tests.races.contention import PATIENT
from tests.repository.tree import ROOT
from tests.servers import OwnRedis

pytestmark = pytest.mark.faults

Tally = Callable[[str, int, int], None]

POLL_S = 3.0
"""Workers look by themselves so seldom here: what comes sooner came by a nudge."""

MEMBER = UUID(int=5)


class Worker:
    """A worker process and what it has logged."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            with contextlib.suppress(orjson.JSONDecodeError):
                self.lines.append(orjson.loads(line))
            self._news.set()

    async def logged(self, event: str, *, within_s: float = 30) -> dict[str, Any]:
        """The first line of this event, once it is there."""
        async with asyncio.timeout(within_s):
            while not (found := [line for line in self.lines if line["event"] == event]):
                self._news.clear()
                await self._news.wait()
        return found[0]

    async def stop(self) -> float:
        """SIGTERM; how long it took to end, in seconds."""
        started_at = monotonic()
        self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), 30)
        await self._reading
        return monotonic() - started_at


@asynccontextmanager
async def worker(database_url: str, redis_url: str, **work: float) -> AsyncIterator[Worker]:
    """A worker that is ready."""
    environment = {f"JIFEN_WORK__{name.upper()}": f"{value}" for name, value in work.items()}
    with TemporaryDirectory() as folder:
        members.create_phone_keys(Path(folder) / "phone-keys.json", now=datetime.now(UTC))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api.cli", "work"),
            cwd=ROOT,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "JIFEN_KEY_SET_PATH": f"{folder}/keys.json",
                **PRODUCTION,
                **environment,
            },
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
        )
        running = Worker(process)
        try:
            await running.logged("worker_ready")
            yield running
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await running._reading


PRODUCTION = {
    "JIFEN_ENVIRONMENT": "production",
    "JIFEN_ISSUER": "https://jifen.example",
    "JIFEN_WECHAT_BASE_URL": "https://api.weixin.qq.com",
    "JIFEN_WECHAT_APPS": '{"wx0123456789abcdef":"of the mini-program"}',
}


class RestartedRedis(OwnRedis):
    """A Redis that comes back where it was."""

    def start_again(self) -> None:
        port = int(self.url.rpartition(":")[2].partition("/")[0])
        self._start(port)


@pytest.fixture
def server() -> Iterator[RestartedRedis]:
    executable = shutil.which("redis-server")
    if executable is None:
        pytest.skip("no redis-server on PATH")
    with contextlib.closing(RestartedRedis(executable)) as started:
        yield started


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[str]:
    """The product connected to a fresh database on PostgreSQL."""
    await storage.connect(postgres_url, pool=PATIENT)
    yield postgres_url
    await storage.close()


async def tell(count: int = 1, *, member_id: UUID = MEMBER) -> None:
    event = Event(kind="A", member_id=member_id, facts={})
    await announce([event] * count, now=datetime.now(UTC))


async def delivered_after_s(*, within_s: float = 20) -> float:
    """How long it takes until nothing is left to deliver."""
    started_at = monotonic()
    while (await outbox_status()).undelivered:
        assert monotonic() - started_at < within_s
        await asyncio.sleep(0.01)
    return monotonic() - started_at


async def slowest_of(count: int) -> float:
    waits = []
    for _ in range(count):
        await tell()
        waits.append(await delivered_after_s())
    return max(waits)


async def test_a_worker_outlives_a_redis_that_is_frozen_killed_and_emptied(
    postgres: str, server: RestartedRedis, tally: Tally
) -> None:
    gateway = Settings(redis_url=server.url, work=WorkSettings(in_process=False))
    async with (
        worker(postgres, server.url, poll_s=POLL_S) as running,
        background(gateway, clock=Clock(), consumers=[]),
    ):
        assert await slowest_of(5) < POLL_S / 2

        os.kill(server.process.pid, signal.SIGSTOP)
        frozen = await slowest_of(2)
        await running.logged("queue_failed")
        os.kill(server.process.pid, signal.SIGCONT)
        await running.logged("queue_is_back")

        server.process.kill()
        killed = await slowest_of(2)
        running.lines.clear()
        server.start_again()
        await running.logged("queue_is_back")
        server.empty()
        emptied = await slowest_of(2)
        # The polling finds what the queue lost; the queue is soon as quick as before.
        assert max(frozen, killed, emptied) < POLL_S + 4
        async with asyncio.timeout(20):
            while await slowest_of(3) > POLL_S / 2:
                pass
        assert await running.stop() < 5
    assert running.process.returncode == 0
    tally("events delivered while Redis was frozen, killed, emptied", 6, 6)


async def test_a_worker_that_is_told_to_stop_ends_between_two_rounds(
    postgres: str, server: RestartedRedis
) -> None:
    events = [
        Event(kind="A", member_id=UUID(int=number), facts={})
        for number in range(1, 2_001)
        for _ in range(20)
    ]
    await announce(events, now=datetime.now(UTC))
    async with worker(postgres, server.url, poll_s=0.05, streams_max=1) as running:
        async with asyncio.timeout(20):
            while (await outbox_status()).undelivered > 39_000:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert await running.stop() < 5
    assert running.process.returncode == 0
    logged = [line["event"] for line in running.lines]
    assert logged[-1] == "worker_stopped"
    assert "worker_stopping" in logged
    left = await outbox_status()
    assert 0 < left.undelivered < 39_100
    # Nothing is leased any more: another may go on at once.
    rows = await storage.fetch_all("SELECT 1 FROM outbox_stream WHERE lease IS NOT NULL")
    assert rows == []
    assert await storage.fetch_all("SELECT 1 FROM schedule_slot WHERE finished_at IS NULL") == []


async def test_a_worker_outlives_lost_connections(postgres: str, server: RestartedRedis) -> None:
    connection = await asyncpg.connect(postgres)
    async with worker(postgres, server.url, poll_s=0.1) as running:
        for _ in range(5):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'jifen' AND pid <> pg_backend_pid()"
            )
            async with asyncio.timeout(10):
                while True:
                    # This process has lost its connections too.
                    with contextlib.suppress(storage.StorageFault):
                        await tell()
                        break
            assert await delivered_after_s() < 5
        assert await running.stop() < 5
    await connection.close()
    assert running.process.returncode == 0


async def test_a_worker_that_cannot_work_says_why_in_one_line(postgres: str) -> None:
    async def refused(**environment: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api.cli", "work"),
            cwd=ROOT,
            env={"PATH": os.environ.get("PATH", os.defpath), **environment},
            stderr=PIPE,
        )
        _, complaint = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 1
        [line] = complaint.decode().splitlines()
        return line

    assert "REDIS_URL" in await refused(DATABASE_URL=postgres)
    await storage.execute("DELETE FROM tortoise_migrations WHERE app = 'schedules'")
    line = await refused(DATABASE_URL=postgres, REDIS_URL="redis://127.0.0.1:1/0")
    assert line == "ValueError: migrations are missing: schedules.0001_initial"
