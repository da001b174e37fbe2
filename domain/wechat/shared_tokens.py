"""The access tokens that workers share through Redis, and their turn at renewing them.

Nothing here is needed for correctness: while Redis is down each worker keeps a token of its own
(WeChat gives the same one to all who ask in the ordinary mode). Hence no method raises because of
Redis; after a failure Redis is left alone for a few seconds, so that its timeouts are not paid for
by every call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog
from redis import asyncio as aioredis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

from domain.wechat.credentials import AccessToken
from domain.wechat.limits import WeChatLimits

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_TURN_POLL_SECONDS: Final = 0.05

# A renewal that took longer than its lease must not overwrite what another worker renewed
# meanwhile. So the key changes only while it is empty or still holds the token that was refused.
_OFFER: Final = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then
  return {held, redis.call('PTTL', KEYS[1])}
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return {ARGV[2], tonumber(ARGV[3])}
"""


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token and the moment to renew it, on this process's monotonic clock, in seconds."""

    token: AccessToken
    renew_at: float


class SharedTokens:
    """The tokens in one Redis. Every answer may be None or our own: that is Redis being down."""

    def __init__(
        self,
        redis: aioredis.Redis,
        *,
        limits: WeChatLimits,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._limits = limits
        self._monotonic = monotonic
        self._rest_until = float("-inf")

    async def read(self, app_id: str) -> HeldToken | None:
        """The token all workers use, or None if there is none or Redis is down."""
        return await self._reach(self._read(app_id))

    async def offer(
        self, app_id: str, *, offered: HeldToken, refused: AccessToken | None
    ) -> HeldToken:
        """Put a renewed token in the place of the refused one (or of none).

        Answers the token to use: the offered one, or the one another worker put there first.
        """
        work = self._offer(app_id, offered=offered, refused=refused)
        return await self._reach(work) or offered

    @asynccontextmanager
    async def turn(self, app_id: str) -> AsyncIterator[None]:
        """Hold the turn at renewing this app's token, among all workers.

        If the turn does not come within `turn_wait_seconds`, or Redis is down, the block runs all
        the same: two renewals at once cost a call, while waiting on would cost the user's request.
        """
        lock = self._redis.lock(
            f"{_key(app_id)}:turn",
            timeout=self._limits.turn_lease_seconds,
            sleep=_TURN_POLL_SECONDS,
            blocking_timeout=self._limits.turn_wait_seconds,
        )
        held = await self._reach(_acquire(lock), wait_seconds=self._limits.turn_wait_seconds)
        try:
            yield
        finally:
            if held:
                await self._reach(_release(lock))

    async def _read(self, app_id: str) -> HeldToken | None:
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.get(_key(app_id))
            pipeline.pttl(_key(app_id))
            text, milliseconds = await pipeline.execute()
        return self._held(text, milliseconds)

    async def _offer(
        self, app_id: str, *, offered: HeldToken, refused: AccessToken | None
    ) -> HeldToken | None:
        milliseconds = int((offered.renew_at - self._monotonic()) * 1000)
        if milliseconds <= 0:
            return None
        # Redis is asked by the whole script each time: renewals are rare and a restarted Redis
        # has forgotten scripts loaded before.
        text, left = await self._redis.eval(
            _OFFER,
            1,
            _key(app_id),
            "" if refused is None else refused.reveal(),
            offered.token.reveal(),
            milliseconds,
        )
        return self._held(text, left)

    def _held(self, text: bytes | str | None, milliseconds: int) -> HeldToken | None:
        if not text or milliseconds <= 0:
            return None
        token = AccessToken(text.decode() if isinstance(text, bytes) else text)
        return HeldToken(token=token, renew_at=self._monotonic() + milliseconds / 1000)

    async def _reach(self, work: Coroutine[Any, Any, _T], *, wait_seconds: float = 0) -> _T | None:
        if self._monotonic() < self._rest_until:
            work.close()
            return None
        try:
            async with asyncio.timeout(wait_seconds + self._limits.redis_timeout_seconds):
                return await work
        except (RedisError, OSError, TimeoutError) as error:
            self._rest_until = self._monotonic() + self._limits.redis_rest_seconds
            _log.warning("wechat_tokens_not_shared", reason=type(error).__name__)
            return None


async def _acquire(lock: Lock) -> bool:
    return bool(await lock.acquire())


async def _release(lock: Lock) -> None:
    # A lease that ran out is no failure of Redis: the turn has passed on by itself.
    with suppress(LockError):
        await lock.release()


def _key(app_id: str) -> str:
    return f"jifen:wechat:token:{app_id}"
