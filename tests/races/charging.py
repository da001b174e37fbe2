"""A process that charges one bucket as fast as it can, and prints how often it was given.

python -m tests.races.charging REDIS_URL ATTEMPTS CAPACITY
"""

from __future__ import annotations

import asyncio
import sys

from redis import asyncio as aioredis

from api.rates.buckets import Demand
from api.rates.settings import BucketSettings
from api.rates.shared import SharedBuckets
from resolvers.rates import RateKey

AT_ONCE = 20
KEY = RateKey("member", "raced-for")


async def main(url: str, attempts: int, capacity: int) -> None:
    """Wait for a line, then charge."""
    bucket = BucketSettings(capacity=capacity, restored_per_minute=1)
    async with aioredis.Redis.from_url(url) as redis:
        buckets = SharedBuckets(redis)
        await redis.ping()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        turn = asyncio.Semaphore(AT_ONCE)

        async def attempt() -> bool:
            async with turn:
                return (await buckets.take([Demand(KEY, bucket, 1)])).wait_us == 0

        given = await asyncio.gather(*(attempt() for _ in range(attempts)))
        print(sum(given), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
