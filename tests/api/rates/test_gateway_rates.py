"""Which buckets are charged: those all share, and the process's own while those are away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import asyncio as aioredis

from api.rates.gateway_rates import GatewayRates
from api.rates.settings import BucketSettings, RateSettings
from api.rates.shared import SharedBuckets
from api.redis_breaker import guarded_redis
from resolvers.rates import Charge, RateKey, RateLimited, RatesUnavailable
from tests.api.rates.test_buckets import ALICE, BOB, NOW

AWAY = "redis://127.0.0.1:1/0"
SIGN_IN = RateKey("sign_in", "192.0.2.1")
SETTINGS = RateSettings(
    member=BucketSettings(capacity=100, restored_per_minute=60),
    sign_in=BucketSettings(capacity=2, restored_per_minute=1),
)


async def left(rates: GatewayRates, key: RateKey = ALICE) -> int:
    return (await rates.charge(key, 0, now=NOW)).left


async def test_in_one_process_its_own_buckets_are_all_there_is() -> None:
    rates = GatewayRates(SETTINGS)
    charge = await rates.charge(ALICE, 30, now=NOW)
    assert charge == Charge(key=ALICE, cost=30, left=70, restored_per_s=1.0)
    assert rates.settle(charge, 10, now=NOW) == 90
    assert await left(rates) == 90
    with pytest.raises(RateLimited) as refused:
        await rates.charge(ALICE, 91, now=NOW)
    limited = refused.value
    told = (limited.limit, limited.retry_after_s, limited.left, limited.restored_per_s)
    assert told == ("member", 1, 90, 1.0)
    later = NOW + timedelta(seconds=limited.retry_after_s)
    assert (await rates.charge(ALICE, 91, now=later)).left == 0


@pytest.mark.parametrize(
    ("requested", "actual", "expected"),
    [(30, 30, 70), (30, 0, 100), (30, 45, 55), (30, 500, 0), (500, 500, 0), (500, 90, 10)],
)
async def test_a_charge_is_made_even_with_what_was_spent(
    requested: int, actual: int, expected: int
) -> None:
    rates = GatewayRates(SETTINGS)
    charge = await rates.charge(ALICE, requested, now=NOW)
    assert rates.settle(charge, actual, now=NOW) == expected
    assert await left(rates) == expected


async def test_shared_buckets_are_shared(redis: aioredis.Redis) -> None:
    first, second = (GatewayRates(SETTINGS, shared=SharedBuckets(redis)) for _ in range(2))
    charge = await first.charge(ALICE, 60, now=NOW)
    assert (charge.left, charge.is_local) == (40, False)
    with pytest.raises(RateLimited):
        await second.charge(ALICE, 60, now=NOW)
    assert first.settle(charge, 10, now=NOW) == 90
    await first.close()
    assert (await second.charge(ALICE, 60, now=NOW)).left == 30
    assert len(first.own) == len(second.own) == 0
    await second.charge_sensitive([SIGN_IN], now=NOW)
    await first.charge_sensitive([SIGN_IN], now=NOW)
    with pytest.raises(RateLimited) as refused:
        await second.charge_sensitive([SIGN_IN], now=NOW)
    assert 50 < refused.value.retry_after_s <= 60


async def test_without_redis_each_process_gives_its_share() -> None:
    async with guarded_redis(AWAY) as redis:
        rates = GatewayRates(SETTINGS, shared=SharedBuckets(redis), workers=4)
        for _ in range(10):  # More often than the breaker looks.
            charge = await rates.charge(ALICE, 2, now=NOW)
            assert charge.is_local
            assert rates.settle(charge, 1, now=NOW) == charge.left + 1
        with pytest.raises(RateLimited) as refused:
            await rates.charge(ALICE, 16, now=NOW)
        # A quarter of a hundred, and of one a second.
        assert (refused.value.left, refused.value.restored_per_s) == (15, 0.25)
        assert refused.value.retry_after_s == 4
        assert (await rates.charge(ALICE, 16, now=NOW + timedelta(seconds=4))).left == 0
        # What is too much for a share takes all of it.
        assert (await rates.charge(BOB, 90, now=NOW)).left == 0
        await rates.close()


async def test_without_redis_nothing_sensitive_is_given() -> None:
    async with guarded_redis(AWAY) as redis:
        rates = GatewayRates(SETTINGS, shared=SharedBuckets(redis))
        for _ in range(10):
            with pytest.raises(RatesUnavailable):
                await rates.charge_sensitive([SIGN_IN], now=NOW)
        assert len(rates.own) == 0


async def test_redis_that_comes_back_is_asked_again(
    redis: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guarded_redis(AWAY) as away:
        rates = GatewayRates(SETTINGS, shared=SharedBuckets(redis))
        assert (await rates.charge(ALICE, 40, now=NOW)).left == 60
        assert rates.shared is not None
        rates.shared.redis = away
        local = await rates.charge(ALICE, 1, now=NOW)
        assert (local.left, local.is_local) == (99, True)
        rates.shared.redis = redis
        # What was taken here is put back here.
        rates.settle(local, 0, now=NOW)
        assert (await rates.charge(ALICE, 0, now=NOW)).left == 60
        await rates.close()
        assert (await rates.charge(ALICE, 0, now=NOW)).left == 60


async def test_an_unknown_kind_of_bucket_is_an_error() -> None:
    with pytest.raises(LookupError):
        await GatewayRates(SETTINGS).charge(RateKey("nobody", "x"), 1, now=NOW)
