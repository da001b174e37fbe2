"""Following streams live: every event once and in order, whatever is killed in between.

A follower reads its stream from the database by position, waits until something says that the
stream may have grown, and reads again. What says so is only a hint: a commit of this process, a
message through Redis, or a comparison of positions, one statement for all who follow here. The
comparison runs each second while messages do not arrive, and each ten seconds when they seem to.
So Redis decides how soon an event comes, and never whether.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import structlog
from redis import asyncio as aioredis

from domain.outbox.announcing import on_committed
from domain.outbox.hints import Hints
from domain.outbox.streams import Announced, positions, stream
from domain.storage import StorageFault

log = structlog.get_logger("jifen.live")

READ_AT_ONCE: Final = 100
"""Events that one read takes from a stream."""

READERS_MAX: Final = 4
"""Reads of followers at the same time: whoever asks something must find a connection too."""

COMPARED_AT_ONCE: Final = 2_000
COMPARED_EVERY_S: Final = 10.0
COMPARED_WITHOUT_HINTS_EVERY_S: Final = 1.0
GATHERED_S: Final = 0.02
"""How long newcomers are gathered for one comparison."""

TRIES_MAX: Final = 30
RETRY_S: Final = (0.5, 2.0)


class _Followed:
    """A stream that somebody here follows, and how far it is known to have grown."""

    __slots__ = ("_waiting", "followers", "newest", "nudges")

    def __init__(self) -> None:
        self.followers = 0
        self.newest = 0
        self.nudges = 0
        self._waiting: list[asyncio.Future[None]] = []

    def hear(self, seq: int) -> None:
        """It has grown up to `seq`, if that is news."""
        if seq > self.newest:
            self.newest = seq
            self._wake()

    def nudge(self) -> None:
        """It has grown; nobody says how far."""
        self.nudges += 1
        self._wake()

    async def grown(self, *, beyond: int, nudges: int) -> None:
        """Wait until it is heard to be beyond a position, or was nudged since `nudges`."""
        while self.newest <= beyond and self.nudges == nudges:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            try:
                await waiting
            finally:
                self._waiting.remove(waiting)

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)


class Live:
    """The streams that are followed in this process.

    `redis` is a client for pub/sub alone, which waits longer than others may; without one there
    are no messages, and positions are compared each second. Use `follow` inside `running`.
    """

    def __init__(self, *, redis: aioredis.Redis | None = None) -> None:
        self._followed: dict[UUID, _Followed] = {}
        self._newcomers: set[UUID] = set()
        self._called = asyncio.Event()
        self._reading = asyncio.Semaphore(READERS_MAX)
        self._hints = Hints(redis, heard=self._hear, joined=self._check_soon) if redis else None

    @property
    def followed(self) -> int:
        """How many streams are followed here."""
        return len(self._followed)

    @property
    def followers(self) -> int:
        """How many follow them."""
        return sum(one.followers for one in self._followed.values())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hear of what grows, inside the block."""
        stop_hearing = on_committed(self._nudge)
        tasks = [asyncio.create_task(self._compare_positions())]
        if self._hints is not None:
            tasks.append(asyncio.create_task(self._hints.run()))
        try:
            yield
        finally:
            stop_hearing()
            for task in tasks:
                task.cancel()
            for fault in await asyncio.gather(*tasks, return_exceptions=True):
                # What failed must not keep the process from leaving in order.
                if isinstance(fault, Exception):
                    log.error("live_task_failed", exc_info=fault)

    async def position(self, member_id: UUID) -> int:
        """Where the stream stands now: what is yet to come is after it."""
        async with self._reading:
            return (await positions([member_id]))[member_id]

    async def follow(
        self, member_id: UUID, *, after: int, kinds: frozenset[str] | None = None
    ) -> AsyncGenerator[Announced, None]:
        """The events of the stream after a position, those there are and those to come.

        `kinds` lets only these through. Nothing is read ahead of who takes the events. Raises
        StreamPositionLost, and StorageFault when the database is away at the start or for long.
        """
        followed = self._admit(member_id)
        try:
            position, tries_max = after, 1
            while True:
                known, nudges = followed.newest, followed.nudges
                events = await self._read(member_id, after=position, tries_max=tries_max)
                tries_max = TRIES_MAX
                for event in events:
                    position = event.seq
                    if kinds is None or event.kind in kinds:
                        yield event
                if len(events) < READ_AT_ONCE:
                    # What was known before the read was read, whatever it gave.
                    await followed.grown(beyond=max(position, known), nudges=nudges)
        finally:
            self._dismiss(member_id)

    async def _read(self, member_id: UUID, *, after: int, tries_max: int) -> Sequence[Announced]:
        """The next events; a database that is away is asked again, after a second or so."""
        for left in range(tries_max - 1, -1, -1):
            try:
                async with self._reading:
                    return await stream(member_id, after=after, limit=READ_AT_ONCE)
            except StorageFault:
                if not left:
                    raise
            await asyncio.sleep(random.uniform(*RETRY_S))  # noqa: S311 - spreads the followers
        raise AssertionError("the last try returns or raises")

    def _admit(self, member_id: UUID) -> _Followed:
        followed = self._followed.get(member_id)
        if followed is None:
            followed = self._followed[member_id] = _Followed()
            if self._hints is not None:
                self._hints.join(member_id)
        followed.followers += 1
        return followed

    def _dismiss(self, member_id: UUID) -> None:
        followed = self._followed[member_id]
        followed.followers -= 1
        if not followed.followers:
            del self._followed[member_id]
            if self._hints is not None:
                self._hints.leave(member_id)

    def _hear(self, member_id: UUID, seq: int) -> None:
        if followed := self._followed.get(member_id):
            followed.hear(seq)

    def _nudge(self, members: Collection[UUID]) -> None:
        for member_id in members:
            if followed := self._followed.get(member_id):
                followed.nudge()

    def _check_soon(self, members: Collection[UUID]) -> None:
        self._newcomers.update(members)
        self._called.set()

    async def _compare_positions(self) -> None:
        """Look how far the streams have grown: all of them at times, newcomers when they come."""
        loop = asyncio.get_running_loop()
        compared_at = loop.time()
        while True:
            arriving = self._hints is not None and self._hints.arriving
            every_s = COMPARED_EVERY_S if arriving else COMPARED_WITHOUT_HINTS_EVERY_S
            # Never slept longer than it takes to notice that hints ceased to arrive.
            pause_s = min(compared_at + every_s - loop.time(), COMPARED_WITHOUT_HINTS_EVERY_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(pause_s, 0)):
                    await self._called.wait()
                    await asyncio.sleep(GATHERED_S)
            self._called.clear()
            newcomers, self._newcomers = self._newcomers, set()
            if loop.time() - compared_at >= every_s:
                compared_at = loop.time()
                await self._compare(list(self._followed))
            elif newcomers:
                await self._compare(list(newcomers))

    async def _compare(self, members: list[UUID]) -> None:
        for start in range(0, len(members), COMPARED_AT_ONCE):
            try:
                newest = await positions(members[start : start + COMPARED_AT_ONCE])
            except Exception as fault:
                # The next comparison includes what this one did not see.
                log.warning("positions_not_compared", reason=str(fault))
                return
            for member_id, seq in newest.items():
                self._hear(member_id, seq)
