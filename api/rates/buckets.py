"""Token buckets, reckoned in whole numbers, and those that a process holds by itself.

A bucket is a level and the moment at which it was that high. Levels are kept in units: one token is
60,000,000 units, so that what a bucket gets per microsecond is its tokens per minute. The script of
the shared buckets (`token_bucket.lua`) reckons the same in doubles, which are exact up to 2^53;
a test holds the two to each other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from api.rates.settings import BucketSettings
from resolvers.rates import RateKey

UNITS_PER_TOKEN: Final = 60_000_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Demand:
    """What is wanted of one bucket: `cost` tokens out of it, `back` tokens into it before.

    `back` may be negative: what an operation cost beyond what was taken for it.
    """

    key: RateKey
    bucket: BucketSettings
    cost: int
    back: int = 0

    @property
    def units(self) -> int:
        """What is taken, never more than the bucket holds: or it could not be had at all."""
        return min(self.cost, self.bucket.capacity) * UNITS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of demands: `levels` in units, in their order.

    When `wait_us` is 0 all was taken. Otherwise nothing was, and after so many microseconds there
    will be enough in the bucket at `short`.
    """

    levels: tuple[int, ...]
    wait_us: int = 0
    short: int = 0


def microseconds(moment: datetime) -> int:
    """The moment as whole microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


CLOCK_PUT_BACK_US: Final = 60_000_000
"""No request lasts as long: a moment that is older than this tells of another clock."""


@dataclass(slots=True)
class LocalBuckets:
    """Buckets of this process, at most `held_max`; those not asked for longest are forgotten.

    A bucket that is not held is full.
    """

    held_max: int
    _held: OrderedDict[RateKey, tuple[int, int]] = field(default_factory=OrderedDict)

    def take(self, demands: Sequence[Demand], *, now: datetime) -> Taken:
        """Take what is wanted out of all buckets, or nothing out of any."""
        now_us = microseconds(now)
        levels = [self._level(one, now_us) for one in demands]
        waits = [
            -(-(one.units - level) // one.bucket.restored_per_minute)
            for one, level in zip(demands, levels, strict=True)
        ]
        wait_us = max(0, *waits)
        if wait_us == 0:
            levels = [level - one.units for one, level in zip(demands, levels, strict=True)]
        for one, level in zip(demands, levels, strict=True):
            self._hold(one.key, level, now_us)
        return Taken(tuple(levels), wait_us, waits.index(wait_us) if wait_us else 0)

    def __len__(self) -> int:
        return len(self._held)

    def _level(self, demand: Demand, now_us: int) -> int:
        """How high the bucket is now, with what is put back."""
        full = demand.bucket.capacity * UNITS_PER_TOKEN
        level, at_us = self._held.get(demand.key, (full, now_us))
        # A clock that was put back must not stop a bucket from filling until it comes round.
        gained = max(now_us - at_us, 0) * demand.bucket.restored_per_minute
        filled = min(level + gained, full)
        return max(min(filled + demand.back * UNITS_PER_TOKEN, full), 0)

    def _hold(self, key: RateKey, level: int, now_us: int) -> None:
        # Requests end in another order than they began: a late one must not set the time back, or
        # the bucket would gain the same time again. Only a clock that was put back may.
        _, at_us = self._held.get(key, (level, now_us))
        if now_us < at_us <= now_us + CLOCK_PUT_BACK_US:
            now_us = at_us
        self._held[key] = (level, now_us)
        self._held.move_to_end(key)
        while len(self._held) > self.held_max:
            self._held.popitem(last=False)
