"""Every event once and in order, while Redis and the gateway are killed under their followers."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from websockets.exceptions import InvalidHandshake, WebSocketException

from domain import outbox, storage
from domain.ledger import NEVER, Earn, Posted, Source, post
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.faults import conftest as faults
from tests.faults.serving import Serving
from tests.faults.town import Town
from tests.servers import OwnRedis
from tests.streaming.serving import FOLLOW
from tests.streaming.test_idle_subscribers import follow
from tests.streaming.test_points_changed import position

pytestmark = [pytest.mark.faults, pytest.mark.soak, pytest.mark.timeout(900)]

town = faults.town

SEED: Final = 20_261_123
MEMBERS: Final = 12
EVENTS_EACH: Final = 60
EVENTS_EACH_IN_FULL: Final = 1_200
KILLS: Final = 6
KILLS_IN_FULL: Final = 60
FROZEN_S: Final = 3.0
PAUSE_S: Final = (0.3, 1.2)
CAUGHT_UP_S: Final = 60.0

LOST: Final = (OSError, WebSocketException, InvalidHandshake, httpx.HTTPError)
"""What a client sees of a server that was killed, or that is not there yet."""


@dataclass(slots=True)
class Follower:
    """Somebody who follows a member's points, and comes back with the last cursor."""

    token: str
    since: str
    heard: list[int] = field(default_factory=list)
    """How often points had been earned, as told by each event: they are told one by one."""
    resumed: int = 0
    """How often events came on a further connection, which was lost in its turn."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_heard(self, count: int) -> None:
        """Wait until so many events were heard."""
        while len(self.heard) < count:
            self._news.clear()
            await self._news.wait()

    async def keep_following(self, url: str, events: Callable[..., AsyncIterator[str]]) -> None:
        """Follow until cancelled."""
        while True:
            known = len(self.heard)
            with suppress(*LOST, StopAsyncIteration, asyncio.TimeoutError):
                async for text in events(url, self.token, self.since):
                    result = json.loads(text)
                    assert "errors" not in result, result
                    told = result["data"]["pointsChanged"]
                    self.heard.append(told["entry"]["amount"])
                    self.since = told["cursor"]
                    self._news.set()
            self.resumed += 0 < known < len(self.heard)
            await asyncio.sleep(0.05)


async def over_socket(url: str, token: str, since: str) -> AsyncIterator[str]:
    """The results of the subscription over a WebSocket, until the connection is lost."""
    connection = await follow(url, token, since=since)
    try:
        while True:
            message = json.loads(await connection.recv())
            if message["type"] == "ping":
                await connection.send('{"type":"pong"}')
            else:
                assert message["type"] == "next", message
                yield json.dumps(message["payload"])
    finally:
        connection.transport.abort()


async def over_stream(url: str, token: str, since: str) -> AsyncIterator[str]:
    """The same over server-sent events."""
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {token}"}
    asked = {"query": FOLLOW, "variables": {"since": since}}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=60) as http,
        http.stream("POST", f"{url}/graphql", json=asked, headers=headers) as response,
    ):
        assert response.status_code == 200
        async for line in response.aiter_lines():
            name, _, value = line.partition(":")
            if name == "data" and value.strip():
                yield value


@pytest.fixture
def own_redis(report: ClosingReport) -> Iterator[OwnRedis]:
    """A server of this test's own, which it may kill."""
    executable = shutil.which("redis-server")
    if executable is None:
        part_is_missing(report, "redis", "no redis-server")
    with closing(OwnRedis(executable)) as server:
        yield server


async def earn_in_turn(ids: list[UUID], times: int, chance: random.Random) -> None:
    """Each member earns 1, then 2, then 3 points ..., at odd moments, sometimes twice at once."""
    source = Source(kind="test", reference="kills")
    for number in range(1, times + 1):
        now = datetime.now(UTC)
        for batch in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
            commands = [
                Earn(
                    member_id=one,
                    points=number,
                    source=source,
                    effective_at=now,
                    expires_at=NEVER,
                )
                for one in batch
            ]
            outcomes = await post(commands, now=now)
            assert all(isinstance(one, Posted) for one in outcomes)
        await asyncio.sleep(chance.uniform(0, 0.6))


async def test_every_event_once_and_in_order_whatever_is_killed(
    town: Town,
    own_redis: OwnRedis,
    tmp_path: Path,
    full_form: bool,
    report: ClosingReport,
    tally: Callable[[str, int, int], None],
) -> None:
    events_each = EVENTS_EACH_IN_FULL if full_form else EVENTS_EACH
    kills = KILLS_IN_FULL if full_form else KILLS
    chance = random.Random(SEED)
    ids, tokens = town.members[:MEMBERS], town.member_tokens[:MEMBERS]
    await storage.connect(town.database_url)
    start = {one: position(seq) for one, seq in (await outbox.positions(ids)).items()}
    followers = [
        Follower(token, start[one])
        for one, token in zip(ids, tokens, strict=True)
        for _ in range(2)
    ]
    serving = Serving(town, tmp_path, redis_url=own_redis.url, JIFEN_LOG_LEVEL="warning")
    await asyncio.to_thread(serving.__enter__)
    try:
        following = [
            asyncio.create_task(
                one.keep_following(serving.url, over_stream if number % 2 else over_socket)
            )
            for number, one in enumerate(followers)
        ]
        earning = asyncio.create_task(earn_in_turn(ids, events_each, chance))
        killed = {"redis": 0, "redis frozen": 0, "gateway": 0}
        while sum(killed.values()) < kills or not earning.done():
            what = list(killed)[sum(killed.values()) % len(killed)]
            await asyncio.sleep(chance.uniform(*PAUSE_S))
            await kill(what, own_redis, serving)
            killed[what] += 1
        await earning
        expected = list(range(1, events_each + 1))
        caught_up = asyncio.gather(*(one.until_heard(events_each) for one in followers))
        awaited: list[asyncio.Future[Any]] = [caught_up, *following]
        done, _ = await asyncio.wait(
            awaited, timeout=CAUGHT_UP_S, return_when=asyncio.FIRST_COMPLETED
        )
        for ended in done:
            ended.result()  # Raises what a follower found wrong; no other end is theirs.
        assert caught_up in done, "somebody did not catch up"
        for task in following:
            task.cancel()
        await asyncio.wait(following)
        for one in followers:
            assert one.heard == expected
    finally:
        serving.__exit__()
        await storage.close()
    resumed = sum(one.resumed for one in followers)
    report.notes.append(
        f"events through kills: {len(followers)} followers, {killed}, resumed {resumed} times"
    )
    assert min(killed.values()) >= kills // len(killed)
    assert min(one.resumed for one in followers) >= 1, "nobody was spared"
    heard = sum(len(one.heard) for one in followers)
    tally("events followed through kills", heard, EVENTS_EACH * MEMBERS * 2)


async def kill(what: str, redis: OwnRedis, serving: Serving) -> None:
    """Kill one of them, and start it again; or freeze it for a while."""
    if what == "gateway":
        os.kill(serving.pid, signal.SIGKILL)
        serving.ended()
        await asyncio.to_thread(serving.__enter__)
    elif what == "redis":
        port = urlsplit(redis.url).port
        assert port is not None
        redis.process.kill()
        await asyncio.to_thread(redis._start, port)  # As it was, where everybody looks for it.
    else:
        os.kill(redis.process.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(FROZEN_S)
        finally:
            os.kill(redis.process.pid, signal.SIGCONT)
