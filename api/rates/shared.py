"""The buckets that all workers share: one script, and one round trip to Redis for each charge.

What is put back waits a moment: the next charge of the same bucket takes it along, or all that
waits is sent at once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from redis import asyncio as aioredis
from redis.exceptions import NoScriptError, RedisError

from api.rates.buckets import UNITS_PER_TOKEN, Demand, Taken
from resolvers.rates import RateKey

SCRIPT: Final = (Path(__file__).parent / "token_bucket.lua").read_text("utf-8")
SCRIPT_HASH: Final = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

PUT_BACK_AFTER_S: Final = 0.1
KEYS_AT_ONCE: Final = 100


@dataclass(slots=True)
class SharedBuckets:
    """Buckets in one Redis. Close them, so that nothing is lost that waits to be put back."""

    redis: aioredis.Redis
    _waiting: dict[RateKey, Demand] = field(default_factory=dict)
    _sending: asyncio.Task[None] | None = None

    async def take(self, demands: Sequence[Demand]) -> Taken:
        """Take what is wanted out of all buckets, or nothing out of any. Raises RedisError."""
        return await self._run([self._with_what_waits(one) for one in demands])

    def put_back(self, demand: Demand) -> None:
        """Put `demand.back` back, soon; what Redis does not take is lost."""
        self._waiting[demand.key] = self._with_what_waits(demand)
        if self._sending is None or self._sending.done():
            # In no request's context: what is sent belongs to many.
            self._sending = asyncio.create_task(self._send_soon(), context=Context())

    async def close(self) -> None:
        """Send what waits."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        await self._send()

    def _with_what_waits(self, demand: Demand) -> Demand:
        waits = self._waiting.pop(demand.key, None)
        if waits is None:
            return demand
        return Demand(demand.key, demand.bucket, demand.cost, demand.back + waits.back)

    async def _send_soon(self) -> None:
        await asyncio.sleep(PUT_BACK_AFTER_S)
        await self._send()

    async def _send(self) -> None:
        while self._waiting:
            some = [self._waiting.pop(key) for key in list(self._waiting)[:KEYS_AT_ONCE]]
            with suppress(RedisError):
                await self._run(some)

    async def _run(self, demands: Sequence[Demand]) -> Taken:
        arguments: list[str | int] = [_redis_key(one.key) for one in demands]
        for one in demands:
            full = one.bucket.capacity * UNITS_PER_TOKEN
            back = one.back * UNITS_PER_TOKEN
            arguments += [full, one.bucket.restored_per_minute, one.units, back]
        try:
            answer: Any = await self.redis.evalsha(SCRIPT_HASH, len(demands), *arguments)
        except NoScriptError:
            answer = await self.redis.eval(SCRIPT, len(demands), *arguments)
        wait_us, short, *levels = map(int, answer)
        return Taken(tuple(levels), wait_us, short - 1)


def _redis_key(key: RateKey) -> str:
    return f"jifen:rate:{key.limit}:{key.subject}"
