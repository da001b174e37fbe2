"""What is seen of Redis: its breaker, and its commands without their keys."""

from __future__ import annotations

import contextlib

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from api.observability import tracing
from api.observability.metrics import REDIS_BREAKER_OPEN, REGISTRY
from api.observability.settings import TraceSettings
from api.observability.spans import Spans
from api.redis_breaker import FAILURES_MAX, Breaker, guarded_redis
from api.stress.admission import Refusals
from api.stress.places import Reason
from tests.graphql.collector import collecting


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def failing() -> None:
    raise RedisConnectionError("away")


async def answering() -> str:
    return "PONG"


async def test_a_breaker_tells_when_it_opens_and_when_it_closes() -> None:
    REDIS_BREAKER_OPEN.set(0)  # As in a process of its own: other tests leave breakers open.
    breaker = Breaker(open_s=0.0)
    failures = value("jifen_redis_failures_total")
    for _ in range(FAILURES_MAX):
        assert value("jifen_redis_breaker_open") == 0
        with pytest.raises(RedisConnectionError):
            await breaker.run(failing())
    assert value("jifen_redis_failures_total") - failures == FAILURES_MAX
    assert value("jifen_redis_breaker_open") == 1

    assert await breaker.run(answering()) == "PONG"
    assert value("jifen_redis_breaker_open") == 0


async def test_commands_are_spans_and_tell_no_keys(redis_url: str) -> None:
    if redis_url == "memory://":
        pytest.skip("there is no Redis, and nothing is sent to one inside the process")
    with collecting() as collector:
        spans = Spans(TraceSettings(endpoint=collector.url))
        async with contextlib.aclosing(guarded_redis(redis_url)) as client:
            request = spans.request("request", {})
            with spans.within(request), tracing.recording(spans):
                await client.set("a-key", "a-value")
                pipeline = client.pipeline()
                pipeline.get("a-key")
                assert await pipeline.execute() == [b"a-value"]
        spans.flush()
        spans.close()
    assert collector.tree(spans.trace_id(request)) == (
        "request",
        ["redis SET", "redis PIPELINE"],
    )
    assert collector.one("redis SET").attributes == {
        "db.system.name": "redis",
        "db.operation.name": "SET",
    }
    assert not any(b"a-key" in body or b"a-value" in body for body in collector.bodies)


async def test_who_is_turned_away_is_counted_by_reason() -> None:
    before = value("jifen_shed_total", reason="queue_too_long")
    refusals = Refusals()
    refusals.count(Reason.QUEUE_TOO_LONG)
    refusals.count(Reason.QUEUE_TOO_LONG)
    assert value("jifen_shed_total", reason="queue_too_long") - before == 2
