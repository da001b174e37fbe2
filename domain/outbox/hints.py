"""Hints through Redis: which stream grew, and up to where. They may be lost at any time.

Each stream that somebody of this process follows has a channel of its own, and all of them share
one connection. Nothing is ever decided by a hint: whoever hears one reads the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import structlog
from redis import asyncio as aioredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from domain.outbox.streams import Announced

log = structlog.get_logger("jifen.live")

PING_EVERY_S: Final = 1.0
"""A connection that a frozen server keeps open looks like one on which nothing happens."""

SILENT_S: Final = 2.5
RETRY_S: Final = 0.5
FAILURES_TOLD_EVERY_S: Final = 60.0
"""What fails each time that it is tried does not fill the log."""

BATCH: Final = 500
"""Channels or messages in one command."""

_PREFIX: Final = "jifen:live:"


async def publish_hints(redis: aioredis.Redis, events: Iterable[Announced]) -> None:
    """Tell whoever follows how far the streams of the events have grown, one message for each.

    What Redis does not take is lost; those who follow find it when they next compare positions.
    """
    grown: dict[UUID, int] = {}
    for event in events:
        grown[event.member_id] = max(event.seq, grown.get(event.member_id, 0))
    told = list(grown.items())
    for start in range(0, len(told), BATCH):
        # One batch, one round trip; nothing of it must be atomic.
        pipeline = redis.pipeline(transaction=False)
        for member_id, seq in told[start : start + BATCH]:
            pipeline.publish(f"{_PREFIX}{member_id}", seq)
        try:
            await pipeline.execute()
        except RedisError as fault:
            log.debug("hints_not_published", count=len(told) - start, reason=str(fault))
            return


class Hints:
    """The hints about the streams that were joined, heard as `heard(member_id, seq)`.

    `joined` is called with streams whose hints begin to arrive: what grew before that was not
    heard of. `arriving` says whether hints arrive now; while they do not, positions are compared.
    """

    def __init__(
        self,
        redis: aioredis.Redis,
        *,
        heard: Callable[[UUID, int], None],
        joined: Callable[[Collection[UUID]], None],
    ) -> None:
        self.arriving = False
        self._redis = redis
        self._heard = heard
        self._joined = joined
        self._wanted: set[UUID] = set()
        # What the connection was not told yet; a stream stands in one of them at most.
        self._joining: set[UUID] = set()
        self._leaving: set[UUID] = set()
        self._changed = asyncio.Event()
        self._failures = 0
        self._told_at = -FAILURES_TOLD_EVERY_S

    def join(self, member_id: UUID) -> None:
        """Begin to hear of a stream."""
        self._wanted.add(member_id)
        self._leaving.discard(member_id)
        self._joining.add(member_id)
        self._changed.set()

    def leave(self, member_id: UUID) -> None:
        """Hear of a stream no longer."""
        self._wanted.discard(member_id)
        self._joining.discard(member_id)
        self._leaving.add(member_id)
        self._changed.set()

    async def run(self) -> None:
        """Listen until cancelled; a connection that is lost is made again, whatever it died of."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as fault:
                if self.arriving:
                    log.warning("hints_lost", reason=str(fault))
            except Exception as fault:
                # Nobody else would notice: events would only come later, from now on.
                self._tell_failure(fault)
            self.arriving = False
            _heed_cancellation()
            await asyncio.sleep(RETRY_S)

    def _tell_failure(self, fault: Exception) -> None:
        """Log it, with how many there were since the last time, which is a minute ago at least."""
        self._failures += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_at < FAILURES_TOLD_EVERY_S:
            return
        log.error("hints_failed", exc_info=fault, failures=self._failures)
        self._failures, self._told_at = 0, now

    async def _listen(self) -> None:
        """Use one connection until it fails, and raise what it failed with.

        It is never made again underneath: a pub/sub object of the driver would do that, for who
        speaks and for who hears at the same time, and both would use what is half made.
        """
        pool: Any = self._redis.connection_pool
        connection = pool.make_connection()
        both: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(SILENT_S):
                await connection.connect()
            _heed_cancellation()
            self._joining, self._leaving = set(self._wanted), set()
            both.append(asyncio.create_task(self._tell(connection)))
            both.append(asyncio.create_task(self._hear(connection)))
            # Not a task group: in Python 3.11 it leaves its task looking cancelled.
            ended, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in both:
                task.cancel()
            with suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)
            await asyncio.gather(*both, return_exceptions=True)

    async def _tell(self, connection: Any) -> None:
        """Join and leave channels, and ask the server each second whether it lives."""
        while True:
            self._changed.clear()
            for channels in _batches(self._joining):
                await _send(connection, "SUBSCRIBE", *channels)
            for channels in _batches(self._leaving):
                await _send(connection, "UNSUBSCRIBE", *channels)
            await _send(connection, "PING")
            _heed_cancellation()
            with suppress(TimeoutError):
                async with asyncio.timeout(PING_EVERY_S):
                    await self._changed.wait()

    async def _hear(self, connection: Any) -> None:
        """Take what the server says, as RESP2 and RESP3 have it; silence is a lost connection."""
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        while True:
            message = await connection.read_response(timeout=PING_EVERY_S, push_request=True)
            _heed_cancellation()
            if message is None:
                if loop.time() - heard_at > SILENT_S:
                    raise RedisConnectionError("the server is silent")
                continue
            heard_at = loop.time()
            self._take(message if isinstance(message, list) else [message])

    def _take(self, message: list[Any]) -> None:
        match [_text(message[0]).lower(), *message[1:]]:
            case ["message", channel, seq]:
                with suppress(ValueError):
                    self._heard(_member(channel), int(seq))
            case ["subscribe", channel, _]:
                self._joined([_member(channel)])
            case ["pong", *_]:
                # Commands are answered in order: every channel joined before is in force.
                self.arriving = True


async def _send(connection: Any, *command: str) -> None:
    """Send a command, unless the connection is lost: the driver would make it again."""
    if not connection.is_connected:
        raise RedisConnectionError("the connection is lost")
    await connection.send_command(*command, check_health=False)


def _heed_cancellation() -> None:
    """Raise CancelledError where one was swallowed, as the driver's time-outs can do."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _batches(members: set[UUID]) -> Iterable[list[str]]:
    """The channels of the members, who are taken out of the set."""
    while members:
        count = min(BATCH, len(members))
        yield [f"{_PREFIX}{members.pop()}" for _ in range(count)]


def _member(channel: bytes | str) -> UUID:
    return UUID(_text(channel).removeprefix(_PREFIX))


def _text(word: bytes | str) -> str:
    return word.decode() if isinstance(word, bytes) else word
