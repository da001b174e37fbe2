"""The queue that wakes workers: taskiq over a Redis stream, or inside this process.

A message only says that there is something to do; what there is to do stands in the database. So a
message may be lost, and nothing is done twice because one was delivered twice: workers look for
undelivered events by themselves, and a job whose message was lost is begun anew (`schedules`).
That is why messages are taken off the queue when they are read (NOACK): there is nothing to reclaim
from a worker that was killed, and nothing to acknowledge for one that is being stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from taskiq import AckableMessage, AsyncBroker, BrokerMessage, InMemoryBroker
from taskiq_redis import RedisStreamBroker

log = structlog.get_logger("jifen.work")

QUEUE: Final = "jifen:work"
GROUP: Final = "jifen"

MESSAGES_KEPT: Final = 1_000
"""Older ones are dropped when nobody reads them."""

BLOCK_S: Final = 1.0
"""How long the server holds a read open; a server that is silent for longer is frozen."""

SILENT_S: Final = 3.0
SEND_WITHIN_S: Final = 0.25
RETRY_S: Final = 1.0
_READ_AT_ONCE: Final = 10


def open_broker(redis_url: str) -> AsyncBroker:
    """The broker for a Redis; `memory://` is one inside this process."""
    if redis_url.startswith("memory:"):
        return InMemoryBroker()
    return StreamBroker(redis_url)


class StreamBroker(RedisStreamBroker):
    """A Redis stream that all workers read as one consumer, each message read once.

    Sending is bounded in time. Listening goes on whatever becomes of the server: stopped, frozen,
    or emptied, with the group that reads the stream.
    """

    def __init__(self, url: str) -> None:
        super().__init__(
            url,
            queue_name=QUEUE,
            consumer_group_name=GROUP,
            # One name for all workers: what was read is no longer of interest, to nobody.
            consumer_name=GROUP,
            # What was sent before the first worker came counts too.
            consumer_id="0",
            maxlen=MESSAGES_KEPT,
            socket_timeout=SILENT_S,
            socket_connect_timeout=SILENT_S,
            # What failed is sent again by those who know whether it is worth it.
            retry=Retry(NoBackoff(), 0),
            max_connection_pool_size=8,
            timeout=SILENT_S,
        )

    async def startup(self) -> None:
        """Make the group that reads, if the server is there; listening makes it later otherwise."""
        with suppress(RedisError, OSError):
            await super().startup()

    async def kick(self, message: BrokerMessage) -> None:
        """Send; raises TimeoutError or RedisError soon."""
        async with asyncio.timeout(SEND_WITHIN_S):
            await super().kick(message)

    async def listen(self) -> AsyncGenerator[AckableMessage | bytes, None]:  # type: ignore[override]
        """Messages, for ever."""
        failing = False
        while True:
            _let_cancellation_through()
            try:
                messages = await self._read()
                if failing:
                    log.info("queue_is_back")
                failing = False
            except (RedisError, OSError) as fault:
                if not failing:
                    log.warning("queue_failed", error=type(fault).__name__, reason=str(fault))
                failing = True
                await asyncio.sleep(RETRY_S)
                with suppress(RedisError, OSError):
                    await self._declare_consumer_group()
                continue
            for message in messages:
                yield message

    async def _read(self) -> Sequence[bytes]:
        async with Redis(connection_pool=self.connection_pool) as redis:
            fetched: Any = await redis.xreadgroup(
                GROUP,
                GROUP,
                {QUEUE: ">"},
                count=_READ_AT_ONCE,
                block=int(BLOCK_S * 1_000),
                noack=True,
            )
        return [fields[b"data"] for _, entries in fetched or [] for _, fields in entries]


def _let_cancellation_through() -> None:
    """Raise CancelledError if this task was cancelled and somebody lost it on the way.

    The driver sends through `asyncio.wait_for`, which in Python 3.11 forgets a cancellation that
    comes in the moment in which what it waits for is done. Whoever stops would wait for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
