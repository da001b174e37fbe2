"""The buckets in Redis: the same as those of a process, in one round trip, after any loss."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from redis import asyncio as aioredis
from redis.exceptions import NoScriptError, RedisError

from api.rates import shared
from api.rates.buckets import Demand, LocalBuckets, Taken, microseconds
from api.rates.settings import CAPACITY_MAX, BucketSettings
from api.rates.shared import SharedBuckets
from resolvers.rates import RateKey
from tests.api.rates.test_buckets import ALICE, BOB, NOW, TEN, tokens


@pytest.fixture
async def buckets(redis: aioredis.Redis) -> AsyncIterator[SharedBuckets]:
    buckets = SharedBuckets(redis)
    yield buckets
    await buckets.close()


@contextmanager
def server_time(monkeypatch: pytest.MonkeyPatch, now_us: int) -> Iterator[None]:
    """The script with this moment in the place of the server's, by which nothing expires."""
    script = shared.SCRIPT
    asked = {
        "tonumber(time[1]) * 1000000 + tonumber(time[2])": str(now_us),
        ", 'PX', full_in_ms": "",
    }
    for written, instead in asked.items():
        assert script.count(written) == 1, written
        script = script.replace(written, instead)
    with monkeypatch.context() as patched:
        patched.setattr(shared, "SCRIPT", script)
        patched.setattr(shared, "SCRIPT_HASH", "0" * 40)
        yield


async def test_they_give_and_refuse_by_the_servers_clock(buckets: SharedBuckets) -> None:
    slow = BucketSettings(capacity=10, restored_per_minute=1)
    first = await buckets.take([Demand(ALICE, slow, 4)])
    assert (tokens(first.levels), first.wait_us) == ([6.0], 0)
    refused = await buckets.take([Demand(ALICE, slow, 7), Demand(BOB, slow, 1)])
    assert 59_000_000 < refused.wait_us <= 60_000_000
    assert (round(tokens(refused.levels)[0], 1), tokens(refused.levels)[1]) == (6.0, 10.0)
    assert refused.short == 0
    other = await buckets.take([Demand(BOB, slow, 1), Demand(ALICE, slow, 7)])
    assert other.short == 1


async def test_a_bucket_that_is_full_again_is_not_kept(
    buckets: SharedBuckets, redis: aioredis.Redis
) -> None:
    await buckets.take([Demand(ALICE, TEN, 4)])
    (key,) = await redis.keys("*")
    assert key == b"jifen:rate:member:alice"
    assert 3_900 < await redis.pttl(key) <= 4_000
    await buckets.take([Demand(ALICE, TEN, 0, 4)])
    assert await redis.keys("*") == []


async def test_the_script_is_loaded_again_after_a_flush(
    buckets: SharedBuckets, redis: aioredis.Redis
) -> None:
    await buckets.take([Demand(ALICE, TEN, 10)])
    await redis.script_flush()
    await redis.flushdb()
    with pytest.raises(NoScriptError):
        await redis.evalsha(shared.SCRIPT_HASH, 0)
    # What Redis forgot is full again; it is counted from then on.
    assert tokens((await buckets.take([Demand(ALICE, TEN, 10)])).levels) == [0.0]
    assert (await buckets.take([Demand(ALICE, TEN, 10)])).wait_us > 9_000_000
    await redis.evalsha(shared.SCRIPT_HASH, 0)


async def test_what_is_put_back_goes_along_or_is_sent_soon(
    buckets: SharedBuckets, redis: aioredis.Redis
) -> None:
    slow = BucketSettings(capacity=10, restored_per_minute=1)
    await buckets.take([Demand(ALICE, slow, 10), Demand(BOB, slow, 10)])
    buckets.put_back(Demand(ALICE, slow, 0, 3))
    buckets.put_back(Demand(ALICE, slow, 0, 4))
    buckets.put_back(Demand(BOB, slow, 0, 2))
    taken = await buckets.take([Demand(ALICE, slow, 6)])
    assert (taken.wait_us, round(tokens(taken.levels)[0], 1)) == (0, 1.0)
    await buckets.close()
    # To be asked by another process, which knows of nothing that waits here.
    others = SharedBuckets(redis)
    asked = await others.take([Demand(ALICE, slow, 0), Demand(BOB, slow, 0)])
    assert [round(level, 1) for level in tokens(asked.levels)] == [1.0, 2.0]


async def test_what_waits_is_sent_without_being_asked_for(
    buckets: SharedBuckets, redis: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "PUT_BACK_AFTER_S", 0.001)
    await buckets.take([Demand(RateKey("member", str(n)), TEN, 5) for n in range(150)])
    for n in range(150):
        buckets.put_back(Demand(RateKey("member", str(n)), TEN, 0, 5))
    assert buckets._sending is not None
    await asyncio.wait_for(asyncio.shield(buckets._sending), 5)
    assert await redis.dbsize() == 0


async def test_garbage_in_a_bucket_is_a_full_one(
    buckets: SharedBuckets, redis: aioredis.Redis
) -> None:
    await redis.set("jifen:rate:member:alice", "what")
    assert tokens((await buckets.take([Demand(ALICE, TEN, 4)])).levels) == [6.0]


async def test_what_is_no_text_in_its_place_is_an_error(
    buckets: SharedBuckets, redis: aioredis.Redis
) -> None:
    await redis.lpush("jifen:rate:member:alice", "x")
    with pytest.raises(RedisError):
        await buckets.take([Demand(ALICE, TEN, 4)])


KINDS = [
    TEN,
    BucketSettings(capacity=1, restored_per_minute=1),
    BucketSettings(capacity=7, restored_per_minute=13),
    BucketSettings(capacity=CAPACITY_MAX, restored_per_minute=CAPACITY_MAX),
    BucketSettings(capacity=CAPACITY_MAX, restored_per_minute=7),
    BucketSettings(capacity=6_000, restored_per_minute=7_200),
]


@pytest.mark.soak
async def test_over_any_history_they_are_those_of_a_process(
    buckets: SharedBuckets,
    monkeypatch: pytest.MonkeyPatch,
    tally: Callable[[str, int, int], None],
    full_form: bool,
) -> None:
    dice = random.Random(71)
    local = LocalBuckets(1_000)
    now, compared, refused, steps = NOW, 0, 0, 40_000 if full_form else 400
    for _ in range(steps):
        now += timedelta(microseconds=dice.choice([0, 1, 999, 10**6, 10**8, dice.randrange(10**9)]))
        numbers = dice.sample(range(len(KINDS)), dice.randint(1, 3))
        demands = [_demand(dice, number) for number in numbers]
        with server_time(monkeypatch, microseconds(now)):
            taken: Taken = await buckets.take(demands)
        assert taken == local.take(demands, now=now), (demands, now)
        compared += 1
        refused += taken.wait_us > 0
    floor = 40_000 if full_form else 400
    tally("charges, the script held against the process", compared, floor)
    tally("of them refused", refused, steps // 10)


def _demand(dice: random.Random, number: int) -> Demand:
    bucket = KINDS[number]
    amounts: list[Any] = [0, 1, dice.randint(0, bucket.capacity), bucket.capacity, 2 * 10**9]
    back = dice.choice([0, 0, 0, 1, -1, dice.randint(-bucket.capacity, bucket.capacity)])
    return Demand(RateKey("member", str(number)), bucket, dice.choice(amounts), back)
