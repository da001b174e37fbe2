"""Two thousand people who follow their points, and one worker."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from redis import asyncio as aioredis
from websockets.asyncio.client import ClientConnection, connect

from domain import members, storage
from domain.access import AccessTokens, KeyRing
from domain.ledger import NEVER, Earn, Source, post
from domain.members import ByExternalReference, SessionLifetimes
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.faults.serving import Serving
from tests.faults.town import A_DAY, ISSUER, Town, settle
from tests.streaming.serving import FOLLOW, PROTOCOL

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

SUBSCRIBERS: Final = 2_000
OPENED_AT_ONCE: Final = 50
KILOBYTES_MAX: Final = 30
"""What one of them may occupy of the worker's memory."""

SETTLED_S: Final = 2.0
TOLD_WITHIN_S: Final = 60.0


def resident_kilobytes(pid: int) -> int:
    """How much memory the process occupies."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


async def tokens_of_many(town: Town, count: int) -> dict[UUID, str]:
    """So many members, each with a token that lives for a day."""
    now = datetime.now(UTC)
    tokens = AccessTokens(KeyRing(town.keys, now=now), ISSUER)
    references = [ByExternalReference(f"follower-{number}") for number in range(count)]
    found: dict[UUID, str] = {}
    for start in range(0, count, 500):
        some = references[start : start + 500]
        await members.register_external_members(some, now=now)
        for member_id in await members.resolve_members(some):
            assert member_id is not None
            session = await members.open_session(
                member_id,
                app_id="wx-town",
                tokens=tokens,
                now=now,
                lifetimes=SessionLifetimes(access_token=A_DAY),
            )
            found[member_id] = session.access_token
    return found


async def follow(url: str, token: str, *, since: str | None = None) -> ClientConnection:
    """A connection that follows the member's points."""
    connection = await connect(
        f"{url.replace('http', 'ws')}/graphql",
        subprotocols=[PROTOCOL],
        compression=None,
        ping_interval=None,
        open_timeout=60,
    )
    await connection.send(json.dumps({"type": "connection_init", "payload": {"token": token}}))
    assert json.loads(await connection.recv()) == {"type": "connection_ack"}
    payload = {"query": FOLLOW, "variables": {"since": since}}
    await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
    return connection


async def told(connection: ClientConnection) -> int:
    """The points of the next event; pings are answered on the way."""
    while True:
        message = json.loads(await connection.recv())
        if message["type"] == "next":
            entry: int = message["payload"]["data"]["pointsChanged"]["entry"]["amount"]
            return entry
        assert message == {"type": "ping"}
        await connection.send('{"type":"pong"}')


async def until_followed(redis: aioredis.Redis, streams: int) -> None:
    """Wait until so many streams are followed."""
    async with asyncio.timeout(TOLD_WITHIN_S):
        for _ in range(1_000_000):
            if len(await redis.pubsub_channels("jifen:live:*")) == streams:
                return
            await asyncio.sleep(0.05)


async def test_two_thousand_idle_subscribers_cost_little_and_are_all_told(
    postgres_url: str,
    redis_url: str,
    tmp_path: Path,
    report: ClosingReport,
    tally: Callable[[str, int, int], None],
) -> None:
    if redis_url == "memory://":
        part_is_missing(report, "redis", "hints need one")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard > SUBSCRIBERS * 2, f"this machine allows {hard} open files"
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    town = await settle(postgres_url, tmp_path)
    await storage.connect(postgres_url)
    tokens = await tokens_of_many(town, SUBSCRIBERS + OPENED_AT_ONCE)
    redis: aioredis.Redis = aioredis.Redis.from_url(redis_url)
    with Serving(town, tmp_path, redis_url=redis_url, JIFEN_LOG_LEVEL="warning") as serving:
        callers = list(tokens)
        warming, followers = callers[:OPENED_AT_ONCE], callers[OPENED_AT_ONCE:]
        # What is made once, or for the first caller, is no subscriber's.
        warm = [await follow(serving.url, tokens[one]) for one in warming]
        await until_followed(redis, OPENED_AT_ONCE)
        for connection in warm:
            await connection.close()
        await until_followed(redis, 0)
        before = resident_kilobytes(serving.pid)

        open_ones: list[ClientConnection] = []
        for start in range(0, SUBSCRIBERS, OPENED_AT_ONCE):
            some = followers[start : start + OPENED_AT_ONCE]
            open_ones += await asyncio.gather(*(follow(serving.url, tokens[one]) for one in some))
        await until_followed(redis, SUBSCRIBERS)
        await asyncio.sleep(SETTLED_S)
        each = (resident_kilobytes(serving.pid) - before) / SUBSCRIBERS

        now = datetime.now(UTC)
        source = Source(kind="test", reference="idle")
        for start in range(0, SUBSCRIBERS, 500):
            some = followers[start : start + 500]
            await post(
                [
                    Earn(
                        member_id=one,
                        points=number + 1,
                        source=source,
                        effective_at=now,
                        expires_at=NEVER,
                    )
                    for number, one in enumerate(some, start=start)
                ],
                now=now,
            )
        async with asyncio.timeout(TOLD_WITHIN_S):
            heard = await asyncio.gather(*(told(connection) for connection in open_ones))
        assert heard == list(range(1, SUBSCRIBERS + 1)), "each is told of their own points"
        await asyncio.gather(*(connection.close() for connection in open_ones))
    await redis.aclose()
    await storage.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    costs = f"{each:.1f} KB each (at most {KILOBYTES_MAX})"
    report.notes.append(f"{SUBSCRIBERS:,} idle subscribers on one worker: {costs}")
    assert each <= KILOBYTES_MAX
    tally("idle subscribers told of an event", len(heard), SUBSCRIBERS)
