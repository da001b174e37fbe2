"""Making competitors meet: hold what they all need, see them wait for it, then let go.

A race that never happened proves nothing. So each test holds a lock of PostgreSQL, starts the
competitors, waits until the server itself says that so many of them wait, and only then lets go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import asyncpg

from domain import storage

PATIENT = storage.PoolSettings(
    size_max=24,
    read_wait_s=60.0,
    write_wait_s=60.0,
    statement_timeout_ms=90_000,
    lock_timeout_ms=60_000,
    idle_in_transaction_timeout_ms=90_000,
)
"""Connections for 24 competitors who wait for as long as it takes to gather them."""

_GATHERING_SECONDS_MAX = 60.0
"""Another process takes long to begin where everything else has the processors."""


class Gate:
    """A transaction beside those of the product, which holds locks until `open`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._held = connection.transaction()

    async def hold(self, statement: str, *values: Any) -> None:
        """Take the locks of the statement."""
        await self._held.start()
        await self._connection.execute(statement, *values)

    async def gather(self, waiting: int) -> None:
        """Return once so many backends of the product wait for a lock."""
        deadline = monotonic() + _GATHERING_SECONDS_MAX
        while (seen := await self.waiting()) < waiting:
            assert monotonic() < deadline, f"only {seen} of {waiting} competitors came to wait"
            await asyncio.sleep(0.005)
        assert seen == waiting

    async def open(self, *, waiting: int) -> None:
        """Let go once so many wait."""
        await self.gather(waiting)
        await self._held.commit()

    async def waiting(self) -> int:
        """How many backends of this database wait for a lock now."""
        # Inside a transaction the server's statistics stand still until they are thrown away.
        await self._connection.execute("SELECT pg_stat_clear_snapshot()")
        count: int = await self._connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'jifen' AND wait_event_type = 'Lock'"
        )
        return count

    async def waiting_in(self) -> list[str]:
        """The statements in which backends of this database wait for a lock now."""
        await self._connection.execute("SELECT pg_stat_clear_snapshot()")
        rows = await self._connection.fetch(
            "SELECT DISTINCT query FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'jifen' AND wait_event_type = 'Lock'"
        )
        return [row["query"] for row in rows]


@asynccontextmanager
async def gate(url: str) -> AsyncIterator[Gate]:
    """A gate of the database, on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        yield Gate(connection)
    finally:
        await connection.close()
