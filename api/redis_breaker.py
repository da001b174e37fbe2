"""The Redis client of the gateway: bounded in time, and left alone while it fails.

Redis holds what may be lost, so nobody waits for it: a command, its connection and its hand-shake
together may take 50 ms, and 20 ms where the one before it got no answer, so that a request that
sends several does not wait as long for each. After five failures in a row the breaker opens: for
two seconds every command fails at once, then one is let through to try. Whatever goes wrong is a
`RedisError`, for which every user of Redis has an answer of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from enum import StrEnum
from typing import Any, Final, TypeVar

import structlog
from redis import asyncio as aioredis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.observability import tracing
from api.observability.metrics import REDIS_BREAKER_OPEN, REDIS_FAILURES

log = structlog.get_logger("jifen.redis")

T = TypeVar("T")

COMMAND_S_MAX: Final = 0.05
COMMAND_AGAIN_S_MAX: Final = 0.02
"""For what follows a failure, until a command is answered."""

FAILURES_MAX: Final = 5
OPEN_S: Final = 2.0
CONNECTIONS_MAX: Final = 32
REDIS: Final = {"db.system.name": "redis"}

CONNECT_S_MAX: Final = 1.0
"""The driver's own bound, behind ours, which knows when the loop itself was late."""

LATE_S: Final = 0.01
GRACE_S: Final = 0.02


class BreakerState(StrEnum):
    """CLOSED lets every command through, OPEN none, HALF_OPEN one at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Counts failures in a row, and says whether Redis may be asked."""

    def __init__(self, *, command_s_max: float = COMMAND_S_MAX, open_s: float = OPEN_S) -> None:
        self._command_s_max = command_s_max
        self._open_s = open_s
        self._failures = 0
        self._closed_again_at = 0.0
        self._trying = False
        self.state = BreakerState.CLOSED
        self.refused = 0
        """How many commands failed because the breaker was open."""

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of one command, within its time. Raises RedisError."""
        if not self._admits():
            work.close()
            self.refused += 1
            raise RedisConnectionError("Redis failed a moment ago and is left alone")
        trying = self._trying = self.state is BreakerState.HALF_OPEN
        try:
            result = await _within(self._patience_s(trying=trying), work)
        except (RedisConnectionError, RedisTimeoutError, OSError) as failure:
            self._failed(failure)
            if isinstance(failure, RedisError):
                raise
            raise RedisConnectionError(str(failure)) from failure
        except RedisError:
            self._succeeded()  # It answered, if only to refuse.
            raise
        finally:
            if trying:
                self._trying = False
        self._succeeded()
        return result

    def _patience_s(self, *, trying: bool) -> float:
        if self._failures and not trying:
            return min(self._command_s_max, COMMAND_AGAIN_S_MAX)
        return self._command_s_max

    def _admits(self) -> bool:
        if self.state is BreakerState.CLOSED:
            return True
        if self._trying or asyncio.get_running_loop().time() < self._closed_again_at:
            return False
        self.state = BreakerState.HALF_OPEN
        return True

    def _failed(self, failure: Exception) -> None:
        self._failures += 1
        REDIS_FAILURES.inc()
        if self._failures < FAILURES_MAX and self.state is BreakerState.CLOSED:
            return
        if self.state is BreakerState.CLOSED:
            log.warning("redis_breaker_opened", reason=repr(failure))
            REDIS_BREAKER_OPEN.set(1)
        self.state = BreakerState.OPEN
        self._closed_again_at = asyncio.get_running_loop().time() + self._open_s

    def _succeeded(self) -> None:
        if self.state is not BreakerState.CLOSED:
            log.warning("redis_breaker_closed", refused=self.refused)
            REDIS_BREAKER_OPEN.set(0)
        self.state = BreakerState.CLOSED
        self._failures = 0


class GuardedRedis(aioredis.Redis):
    """A client whose every command and pipeline goes through a breaker.

    Not for what blocks by design (subscriptions, blocking reads): those have clients of their own.
    """

    breaker: Breaker

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command. Raises RedisError."""
        command: Coroutine[Any, Any, Any] = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # the driver's
        name = str(args[0]).upper()
        with tracing.part(f"redis {name}", {**REDIS, "db.operation.name": name}, calls=True):
            return await self.breaker.run(command)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """A pipeline through the same breaker."""
        made = _GuardedPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        made.breaker = self.breaker
        return made


class _GuardedPipeline(Pipeline):
    breaker: Breaker

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """All commands, as one. Raises RedisError."""
        with tracing.part("redis PIPELINE", REDIS, calls=True):
            return await self.breaker.run(super().execute(raise_on_error))


def guarded_redis(url: str) -> GuardedRedis:
    """A client for the Redis at `url`."""
    pool: Any = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS_MAX,
        timeout=CONNECT_S_MAX,
        # Ours is the bound on commands. The driver keeps its own with asyncio.wait_for, which on
        # Python 3.11 may swallow a cancellation that comes together with a result.
        socket_timeout=None,
        socket_connect_timeout=CONNECT_S_MAX,
        # Once, for a pooled connection that Redis closed: after its restart they all are.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )
    client: Any = GuardedRedis.from_pool(pool)
    client.breaker = Breaker()
    guarded: GuardedRedis = client
    return guarded


async def _within(seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`; RedisTimeoutError after so many seconds.

    Where the loop itself was late, an answer that lies there already is still taken.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "commands run in tasks"
    due = loop.time() + seconds
    cancelled_before = task.cancelling()
    patience = _Patience(loop, task, due=due)
    try:
        return await work
    except asyncio.CancelledError:
        if patience.ended and task.uncancel() <= cancelled_before:
            raise RedisTimeoutError(f"no answer from Redis within {seconds} s") from None
        raise
    finally:
        patience.timer.cancel()


class _Patience:
    """Cancels a task when its time is over."""

    __slots__ = ("_due", "_loop", "_task", "ended", "timer")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], *, due: float
    ) -> None:
        self._loop, self._task, self._due = loop, task, due
        self.ended = False
        self.timer = loop.call_at(due, self._look)

    def _look(self) -> None:
        if self._loop.time() - self._due > LATE_S:
            self.timer = self._loop.call_later(GRACE_S, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self.ended = True
        self._task.cancel()
