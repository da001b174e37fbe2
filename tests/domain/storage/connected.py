"""Connecting this process for one block, and a competitor beside the product's connections."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from domain import storage

HASTY = storage.PoolSettings(read_wait_s=0.02, write_wait_s=0.04, lock_timeout_ms=25)
"""Nobody waits for long: 20 ms for a read, 40 ms for a write, 25 ms (SQLite: 100) for a lock."""


@asynccontextmanager
async def connected(url: str, pool: storage.PoolSettings | None = None) -> AsyncIterator[None]:
    """This process connected to the database, closed whatever happens."""
    await storage.connect(url, pool=pool)
    try:
        yield
    finally:
        await storage.close()


class Competitor:
    """A connection beside the product's, in a transaction that holds what it wrote."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def write(self, statement: str) -> None:
        """Begin with a write, and hold its locks."""
        await self._run("BEGIN")
        await self._run(statement)

    async def commit(self) -> None:
        """Let go."""
        await self._run("COMMIT")

    async def _run(self, statement: str) -> None:
        if isinstance(self._connection, sqlite3.Connection):
            self._connection.execute(statement)
        else:
            await self._connection.execute(statement)


@asynccontextmanager
async def competitor(url: str) -> AsyncIterator[Competitor]:
    """A competitor for the database at the URL."""
    if url.startswith("sqlite"):
        beside = sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)
        try:
            yield Competitor(beside)
        finally:
            beside.close()
    else:
        connection = await asyncpg.connect(url)
        try:
            yield Competitor(connection)
        finally:
            await connection.close()


async def themes() -> list[str]:
    """The codes of the table that these tests write to."""
    return [row["code"] for row in await storage.fetch_all("SELECT code FROM theme ORDER BY code")]


async def add_theme(code: str) -> None:
    await storage.execute("INSERT INTO theme (code, name_zh, name_en) VALUES ($1, $1, $1)", code)
