"""Waiting: readers of SQLite wait for nobody, every other wait has an end, nothing is lost."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from time import monotonic

import pytest

from domain.storage import (
    ConnectionsBusy,
    PoolSettings,
    connection_statistics,
    dialect,
    execute,
    fetch_one,
    transaction,
)
from tests.domain.storage import counting
from tests.domain.storage.connected import HASTY, add_theme, connected, themes
from tests.repository.tree import ROOT

TIMES = 100


class Held:
    """A transaction that has written a row and stays open until it is let go."""

    def __init__(self) -> None:
        self._written, self._let_go = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> None:
        self._task = asyncio.ensure_future(transaction(self._work))
        await self._written.wait()

    async def __aexit__(self, *_: object) -> None:
        self._let_go.set()
        await self._task

    async def _work(self) -> None:
        await add_theme("held")
        self._written.set()
        await self._let_go.wait()


@pytest.mark.usefixtures("database")
async def test_readers_do_not_wait_for_a_writer_and_see_the_last_commit() -> None:
    await add_theme("a")
    async with Held():
        assert await themes() == ["a"]
        # More readers than there are connections for reading.
        assert await asyncio.gather(*(themes() for _ in range(20))) == [["a"]] * 20
    assert await themes() == ["a", "held"]


async def test_a_writer_waits_no_longer_than_it_may(database_url: str) -> None:
    pool = PoolSettings(
        size_max=1, write_wait_s=HASTY.write_wait_s, lock_timeout_ms=HASTY.lock_timeout_ms
    )
    async with connected(database_url, pool):
        may_wait_s = 0.04 if dialect() == "postgres" else 0.075
        async with Held():
            for write in (transaction(lambda: add_theme("b")), add_theme("b")):
                began = monotonic()
                with pytest.raises(ConnectionsBusy, match=re.escape(f"within {may_wait_s} s")):
                    await write
                assert monotonic() - began >= may_wait_s - 0.001
            assert connection_statistics()["idle"] == connection_statistics()["open"] - 1
        assert await themes() == ["held"]
        await transaction(lambda: add_theme("b"))
        assert await themes() == ["b", "held"]
        assert connection_statistics()["idle"] == connection_statistics()["open"]


async def test_a_reader_of_postgresql_gives_up_sooner_than_a_writer(postgres_url: str) -> None:
    pool = PoolSettings(size_max=1, read_wait_s=0.02, write_wait_s=30.0)
    async with connected(postgres_url, pool):
        async with Held():
            with pytest.raises(ConnectionsBusy, match=r"within 0\.02 s"):
                await themes()
        assert await themes() == ["held"]


async def test_two_processes_that_read_and_write_back_lose_nothing(
    database_url: str, tally: Callable[[str, int, int], None]
) -> None:
    # Two cores and four processes may be busy otherwise: this is about losing, not about waiting.
    pool = PoolSettings(lock_timeout_ms=20_000, write_wait_s=20.0, statement_timeout_ms=20_000)
    async with connected(database_url, pool):
        await execute("CREATE TABLE counted (id INTEGER PRIMARY KEY, number INTEGER NOT NULL)")
        await execute("INSERT INTO counted VALUES (1, 0)")
        other = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.domain.storage.counting", database_url, str(TIMES)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert other.stdin is not None
        assert other.stdout is not None
        assert await other.stdout.readline() == b"ready\n"
        attempts_before = counting.attempts
        other.stdin.write(b"go\n")
        await asyncio.gather(counting.count(TIMES), other.communicate())
        assert other.returncode == 0
        row = await fetch_one("SELECT number FROM counted")
        assert row is not None
        assert row["number"] == 2 * TIMES
        # Whoever begins has the lock: nothing is read that must be read again.
        assert counting.attempts - attempts_before == TIMES
        tally(f"read-modify-writes of two processes on {dialect()}", row["number"], 200)
