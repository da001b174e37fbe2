"""The buckets of the gateway: shared ones, and this process's own while those are away.

With `memory://` there is one process, whose own buckets are then the exact and the only ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from redis.exceptions import RedisError

from api.observability.metrics import RATE_LIMITED
from api.rates.buckets import UNITS_PER_TOKEN, Demand, LocalBuckets, Taken
from api.rates.settings import BucketSettings, RateSettings
from api.rates.shared import SharedBuckets
from resolvers.rates import Charge, RateKey, RateLimited, RatesUnavailable

log = structlog.get_logger("jifen.rates")


@dataclass(slots=True)
class GatewayRates:
    """Charges callers. `workers` share the machine's limits while each must do by itself."""

    settings: RateSettings
    shared: SharedBuckets | None = None
    workers: int = 1
    own: LocalBuckets = field(init=False)

    def __post_init__(self) -> None:
        self.own = LocalBuckets(self.settings.held_max)

    async def charge(self, key: RateKey, cost: int, *, now: datetime) -> Charge:
        """Take `cost` out of the bucket; see `resolvers.rates.Rates`."""
        demand = Demand(key, self.settings.bucket(key.limit), cost)
        is_local = False
        try:
            taken = await self._take([demand], now=now)
        except RedisError:
            is_local = True
            demand = Demand(key, self._share_of(demand.bucket), cost)
            taken = self.own.take([demand], now=now)
        self._require([demand], taken)
        return Charge(
            key=key,
            cost=cost,
            left=taken.levels[0] // UNITS_PER_TOKEN,
            restored_per_s=_per_second(demand.bucket),
            is_local=is_local,
        )

    def settle(self, charge: Charge, cost: int, *, now: datetime) -> int:
        """Put back the difference; see `resolvers.rates.Rates`."""
        bucket = self.settings.bucket(charge.key.limit)
        if charge.is_local:
            bucket = self._share_of(bucket)
        taken = min(charge.cost, bucket.capacity)
        back = taken - min(cost, bucket.capacity)
        if back:
            demand = Demand(charge.key, bucket, 0, back)
            if self.shared is None or charge.is_local:
                self.own.take([demand], now=now)
            else:
                self.shared.put_back(demand)
        return max(min(charge.left + back, bucket.capacity), 0)

    async def charge_sensitive(self, keys: Sequence[RateKey], *, now: datetime) -> None:
        """Take one out of each bucket; see `resolvers.rates.Rates`."""
        demands = [Demand(key, self.settings.bucket(key.limit), 1) for key in keys]
        try:
            taken = await self._take(demands, now=now)
        except RedisError:
            raise RatesUnavailable from None
        self._require(demands, taken)

    async def close(self) -> None:
        """Send what waits to be put back."""
        if self.shared is not None:
            await self.shared.close()

    async def _take(self, demands: Sequence[Demand], *, now: datetime) -> Taken:
        if self.shared is None:
            return self.own.take(demands, now=now)
        return await self.shared.take(demands)

    def _share_of(self, bucket: BucketSettings) -> BucketSettings:
        """The part of a bucket that this process may give by itself."""
        return BucketSettings(
            capacity=max(bucket.capacity // self.workers, 1),
            restored_per_minute=max(bucket.restored_per_minute // self.workers, 1),
        )

    def _require(self, demands: Sequence[Demand], taken: Taken) -> None:
        if not taken.wait_us:
            return
        short = demands[taken.short]
        RATE_LIMITED.labels(short.key.limit).inc()
        raise RateLimited(
            short.key.limit,
            retry_after_s=math.ceil(taken.wait_us / 1_000_000),
            left=taken.levels[taken.short] // UNITS_PER_TOKEN,
            restored_per_s=_per_second(short.bucket),
        )


def _per_second(bucket: BucketSettings) -> float:
    return bucket.restored_per_minute / 60
