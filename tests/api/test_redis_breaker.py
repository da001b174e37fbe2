"""The guarded Redis client: bounded in time, and left alone while it fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from structlog.testing import capture_logs

from api.logs import configure_logs
from api.redis_breaker import Breaker, BreakerState, GuardedRedis, guarded_redis
from tests.servers.relay import Relay, relayed


@dataclass(slots=True)
class Guarded:
    """A guarded client of a real Redis behind a relay."""

    client: GuardedRedis
    relay: Relay

    @property
    def state(self) -> BreakerState:
        """The breaker's."""
        return self.client.breaker.state

    async def fails(self) -> float:
        """Ask for something, which fails; returns the seconds that it took."""
        began = time.monotonic()
        with pytest.raises(RedisError):
            await self.client.get("key")
        return time.monotonic() - began

    async def open_breaker(self) -> None:
        """Freeze Redis and fail five times."""
        self.relay.freeze()
        for _ in range(5):
            await self.fails()
        assert self.state is BreakerState.OPEN


@pytest.fixture
async def guarded(redis_url: str) -> AsyncIterator[Guarded]:
    """A guarded client, with a breaker that stays open for 0.2 s only."""
    if redis_url.startswith("memory:"):
        pytest.skip("there is no real Redis")
    configure_logs(production=False, level="warning")
    async with relayed(redis_url) as (relay, url):
        client = guarded_redis(url)
        client.breaker = Breaker(open_s=0.2)
        assert await client.ping() is True
        yield Guarded(client, relay)
        await client.aclose()


async def test_a_frozen_redis_costs_five_commands_their_time_and_the_others_none(
    guarded: Guarded,
) -> None:
    guarded.relay.freeze()
    waited = [await guarded.fails() for _ in range(5)]
    assert 0.045 < waited[0] < 0.15, waited
    assert all(0.018 < seconds < 0.1 for seconds in waited[1:]), waited
    assert sum(waited) < 0.2, "one request that sends them all is not held up for long"
    assert guarded.state is BreakerState.OPEN
    spared = [await guarded.fails() for _ in range(200)]
    assert sum(spared) < 0.1
    assert guarded.client.breaker.refused == 200


async def test_many_at_once_pay_once_and_together(guarded: Guarded) -> None:
    """More than the pool has connections: who waits for a connection pays no more than others."""
    guarded.relay.freeze()
    began = time.monotonic()
    answers = await asyncio.gather(
        *(guarded.client.get("key") for _ in range(100)), return_exceptions=True
    )
    # One after the other they would have waited for five seconds.
    assert time.monotonic() - began < 1.0
    assert {type(answer) for answer in answers} == {RedisTimeoutError}
    assert guarded.state is BreakerState.OPEN
    guarded.relay.thaw()
    await asyncio.sleep(0.2)
    assert await guarded.client.get("key") is None
    assert guarded.client.connection_pool._in_use_connections == set()


async def test_one_command_tries_when_the_time_is_over(guarded: Guarded) -> None:
    await guarded.open_breaker()
    await asyncio.sleep(0.2)
    with capture_logs() as logs:
        trials = await asyncio.gather(*(guarded.fails() for _ in range(20)))
    assert sorted(seconds > 0.04 for seconds in trials) == [False] * 19 + [True]
    assert guarded.state is BreakerState.OPEN
    assert logs == [], "it is told when the breaker opens and when it closes"


async def test_a_success_closes_it(guarded: Guarded) -> None:
    await guarded.open_breaker()
    guarded.relay.thaw()
    assert await guarded.fails() < 0.04, "it is not tried before its time"
    await asyncio.sleep(0.2)
    with capture_logs() as logs:
        assert await guarded.client.set("key", "value") is True
    assert [line["event"] for line in logs] == ["redis_breaker_closed"]
    assert guarded.state is BreakerState.CLOSED
    assert await guarded.client.get("key") == b"value"


async def test_an_answer_of_an_earlier_command_is_never_taken_for_a_later_ones(
    guarded: Guarded,
) -> None:
    """What timed out has left its answer on its connection, which is not used again."""
    await guarded.client.mset({f"key {number}": number for number in range(20)})
    guarded.relay.freeze()
    with pytest.raises(RedisTimeoutError):
        await guarded.client.get("key 0")
    guarded.relay.thaw()
    for number in range(1, 20):
        assert await guarded.client.get(f"key {number}") == str(number).encode()


async def test_a_redis_that_is_gone_and_back(guarded: Guarded) -> None:
    guarded.relay.cut()
    await asyncio.sleep(0.01)
    assert await guarded.client.ping() is True, "a connection that was closed is made anew"
    await guarded.relay.refuse()
    for _ in range(5):
        assert await guarded.fails() < 0.04
    assert guarded.state is BreakerState.OPEN


async def test_what_redis_refuses_is_no_failure_of_redis(guarded: Guarded) -> None:
    await guarded.client.set("key", "value")
    for _ in range(10):
        with pytest.raises(ResponseError):
            await guarded.client.incr("key")
    assert guarded.state is BreakerState.CLOSED


async def test_failures_count_only_in_a_row(guarded: Guarded) -> None:
    for _ in range(3):
        guarded.relay.freeze()
        for _ in range(4):
            await guarded.fails()
        guarded.relay.thaw()
        assert await guarded.client.ping() is True
    assert guarded.state is BreakerState.CLOSED


async def test_pipelines_and_scripts_go_through_it_too(guarded: Guarded) -> None:
    client = guarded.client
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.set("key", "value")
        pipeline.get("key")
        assert await pipeline.execute() == [True, b"value"]
    twice = client.register_script("return ARGV[1] * 2")
    assert await twice(args=[21]) == 42
    guarded.relay.freeze()
    for number in range(5):
        async with client.pipeline() as pipeline:
            pipeline.get("key")
            with pytest.raises(RedisTimeoutError):
                await pipeline.execute()
        assert client.breaker._failures == number + 1
    assert guarded.state is BreakerState.OPEN
    with pytest.raises(RedisConnectionError):
        await twice(args=[21])
    async with client.pipeline() as pipeline:
        pipeline.get("key")
        with pytest.raises(RedisConnectionError, match="left alone"):
            await pipeline.execute()


async def test_who_is_cancelled_leaves_the_breaker_and_the_pool_as_they_were(
    guarded: Guarded,
) -> None:
    await guarded.open_breaker()
    await asyncio.sleep(0.2)
    trial = asyncio.ensure_future(guarded.client.get("key"))
    await asyncio.sleep(0.01)
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    guarded.relay.thaw()
    assert await guarded.client.ping() is True, "the next one may try"
    assert guarded.client.connection_pool._in_use_connections == set()


async def test_a_loop_that_was_late_itself_does_not_blame_redis(guarded: Guarded) -> None:
    asked = asyncio.ensure_future(guarded.client.ping())
    await asyncio.sleep(0.001)
    time.sleep(0.08)  # noqa: ASYNC251 - the loop stands still: a long computation
    assert await asked is True
    assert guarded.client.breaker._failures == 0
