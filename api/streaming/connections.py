"""The connections of this process that stay open: how many there may be, and when they must end.

A connection ends when its token expires, when its session was signed out (one statement for all
connections, every 15 s), and when the process leaves.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

import structlog

from api.streaming.frames import EXPIRED, LEAVING, REVOKED, Ending
from api.streaming.settings import StreamingSettings
from api.transport import TransportFault, overloaded
from domain.access import Caller
from domain.clock import Clock
from schema.faults import FaultCode

log = structlog.get_logger("jifen.streaming")

FindEnded: TypeAlias = Callable[[Collection[Caller], datetime], Awaitable[frozenset[Caller]]]
"""Those of the callers whose tokens are no longer good although they have not expired."""

CALLER: Final = "this caller"
CLOSED_AT_ONCE: Final = 100


async def find_nobody_ended(callers: Collection[Caller], now: datetime) -> frozenset[Caller]:
    """Nobody was signed out."""
    return frozenset()


def is_over(caller: Caller | None, *, now: datetime) -> bool:
    """Whether the caller's token has expired, so that a connection would end with it at once.

    Requests may come with it for a moment longer, because clocks differ; no connection begins so.
    """
    return caller is not None and caller.expires_at <= now


class TooManyConnections(Exception):
    """Raised when a connection is one too many: for its caller, its address or the process."""

    def __init__(self, whose: str, *, limit: int) -> None:
        super().__init__(f"There are {limit} open connections of {whose} already.")
        self.whose = whose
        self.limit = limit

    def fault(self) -> TransportFault:
        """The refusal in HTTP: the caller can close one, the others can only wait."""
        if self.whose == CALLER:
            return TransportFault(FaultCode.TOO_MANY_SUBSCRIPTIONS, str(self), limit=self.limit)
        return overloaded()


class Connection:
    """One open connection. `end` asks it to end, and returns at once; it may be called twice."""

    __slots__ = ("address", "caller", "end", "timer")

    def __init__(self, address: str, end: Callable[[Ending], None]) -> None:
        self.address = address
        self.end = end
        self.caller: Caller | None = None
        self.timer: asyncio.TimerHandle | None = None


class Connections:
    """All connections of this process."""

    def __init__(self, settings: StreamingSettings) -> None:
        self._settings = settings
        self._open: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._by_caller: Counter[UUID] = Counter()
        self._leaving = False

    def __len__(self) -> int:
        return len(self._open)

    def admit(
        self,
        address: str,
        end: Callable[[Ending], None],
        *,
        caller: Caller | None = None,
        now: datetime | None = None,
    ) -> Connection:
        """A new connection from an address, of `caller` if they are known already.

        Raises TooManyConnections.
        """
        settings = self._settings
        if len(self._open) >= settings.connections_max:
            raise TooManyConnections("this server", limit=settings.connections_max)
        if self._by_address[address] >= settings.address_connections_max:
            raise TooManyConnections("this address", limit=settings.address_connections_max)
        connection = Connection(address, end)
        if caller is not None:
            assert now is not None, "a caller's token has a time"
            self.identify(connection, caller, now=now)
        self._open.add(connection)
        self._by_address[address] += 1
        if self._leaving:
            asyncio.get_running_loop().call_soon(end, LEAVING)
        return connection

    def identify(self, connection: Connection, caller: Caller | None, *, now: datetime) -> None:
        """Whose connection it is; it will end with the caller's token. Raises TooManyConnections.

        None is an anonymous caller, whose connection does not expire.
        """
        if caller is None:
            return
        limit = self._settings.caller_connections_max
        if self._by_caller[caller.subject] >= limit:
            raise TooManyConnections(CALLER, limit=limit)
        self._by_caller[caller.subject] += 1
        connection.caller = caller
        left_s = max((caller.expires_at - now).total_seconds(), 0.0)
        loop = asyncio.get_running_loop()
        connection.timer = loop.call_later(left_s, connection.end, EXPIRED)

    def release(self, connection: Connection) -> None:
        """The connection is over."""
        self._open.remove(connection)
        if connection.timer is not None:
            connection.timer.cancel()
        _count_down(self._by_address, connection.address)
        if connection.caller is not None:
            _count_down(self._by_caller, connection.caller.subject)

    async def leave(self) -> None:
        """End every connection, and those that still come: the process is about to end."""
        self._leaving = True
        # The loop must go on answering while thousands of them are told.
        for number, connection in enumerate(list(self._open)):
            connection.end(LEAVING)
            if number % CLOSED_AT_ONCE == 0:
                await asyncio.sleep(0)

    @asynccontextmanager
    async def kept(
        self, *, begun: asyncio.Event, clock: Clock, find_ended: FindEnded
    ) -> AsyncIterator[None]:
        """Inside the block: end those who were signed out, and all when draining has begun."""

        async def leave_when_told() -> None:
            await begun.wait()
            await self.leave()

        tasks = [
            asyncio.create_task(leave_when_told()),
            asyncio.create_task(self._end_those_signed_out(clock, find_ended)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for fault in await asyncio.gather(*tasks, return_exceptions=True):
                # What failed must not keep the process from leaving in order.
                if isinstance(fault, Exception):
                    log.error("connections_task_failed", exc_info=fault)

    async def _end_those_signed_out(self, clock: Clock, find_ended: FindEnded) -> None:
        while True:
            await asyncio.sleep(self._settings.sessions_checked_every_s)
            callers = {one.caller for one in self._open if one.caller is not None}
            if not callers:
                continue
            try:
                ended = await find_ended(callers, clock.now())
            except Exception as fault:
                # They are asked about again, and their tokens expire in any case.
                log.warning("sessions_not_checked", reason=str(fault))
                continue
            for connection in [one for one in self._open if one.caller in ended]:
                connection.end(REVOKED)


def _count_down(counter: Counter[Any], key: Any) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
