"""Connections that break: each loss is told, none lasts, and nothing keeps a process alive."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
import pytest
from tortoise.exceptions import DBConnectionError, OperationalError

from domain import storage
from domain.storage import (
    ConnectionLost,
    connection_statistics,
    execute,
    fetch_all,
    fetch_one,
    transaction,
)
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.domain.storage.connected import HASTY, add_theme, connected, themes
from tests.races.contention import PATIENT
from tests.servers import CouldNotStart, OwnPostgres, find_binaries


async def end_sessions_of(url: str, *, state: str) -> int:
    """End the product's sessions in this state, as an administrator would."""
    connection = await asyncpg.connect(url)
    try:
        ended = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = $1 "
            "AND datname = current_database() AND application_name = 'jifen'",
            state,
        )
        return len(ended)
    finally:
        await connection.close()


def all_idle(*, at_most: int) -> bool:
    statistics = connection_statistics()
    return 0 < statistics["open"] == statistics["idle"] <= at_most


async def test_a_read_after_its_connection_was_ended_succeeds(postgres_url: str) -> None:
    async with connected(postgres_url, PATIENT):
        await asyncio.gather(*(fetch_all("SELECT pg_sleep(0.01)") for _ in range(5)))
        assert await end_sessions_of(postgres_url, state="idle") == 5
        for _ in range(10):
            assert await themes() == []
        await transaction(lambda: add_theme("a"))
        assert await themes() == ["a"]
        assert all_idle(at_most=24)


async def ended_under_way(statement: Coroutine[Any, Any, Any], url: str) -> Any:
    """What comes of a statement whose session is ended while it runs."""
    running = asyncio.ensure_future(statement)
    while await end_sessions_of(url, state="active") == 0:
        assert not running.done(), "it was over before its session could be ended"
    return await running


async def test_a_read_that_lost_its_connection_under_way_is_asked_again(postgres_url: str) -> None:
    async with connected(postgres_url):
        row = await ended_under_way(fetch_one("SELECT 7 AS n FROM pg_sleep(0.2)"), postgres_url)
        assert row["n"] == 7


async def test_a_write_that_lost_its_connection_under_way_is_not(postgres_url: str) -> None:
    """It may have happened: whoever sent it must find out, and sends it again with its key."""
    async with connected(postgres_url):
        sql = "INSERT INTO theme SELECT 'a', 'a', 'a' FROM pg_sleep(0.2)"
        with pytest.raises(ConnectionLost):
            await ended_under_way(execute(sql), postgres_url)
        assert await themes() == []


async def test_a_transaction_whose_connection_was_ended_fails_whole_and_once(
    postgres_url: str,
) -> None:
    """Its COMMIT may have happened for all that is known: it is not tried again."""
    async with connected(postgres_url):
        attempts: list[int] = []

        async def work() -> None:
            attempts.append(1)
            await add_theme("a")
            assert await end_sessions_of(postgres_url, state="idle in transaction") == 1
            await add_theme("b")

        with pytest.raises(DBConnectionError, match="connection was lost"):
            await transaction(work)
        assert len(attempts) == 1
        assert await themes() == []
        await transaction(lambda: add_theme("c"))
        assert await themes() == ["c"]
        assert all_idle(at_most=24)


@pytest.fixture(scope="module")
def cluster(report: ClosingReport) -> Iterator[OwnPostgres]:
    """A cluster that this module may stop and start."""
    found = next(iter(find_binaries()), None)
    if found is None:
        part_is_missing(report, "postgresql", "no binaries")
    try:
        server = OwnPostgres(found)
    except CouldNotStart as failure:
        part_is_missing(report, "postgresql", str(failure))
    yield server
    server.close()


async def test_the_pool_recovers_by_itself_after_the_server_was_restarted(
    cluster: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.servers.postgres.on_free_port", lambda start: start(cluster.port))

    async def numbers() -> list[int]:
        rows = await asyncio.gather(
            *(fetch_one(f"SELECT {n} AS n FROM pg_sleep(0.01)") for n in range(5))
        )
        return [row["n"] for row in rows if row is not None]

    async with connected(cluster.url("postgres"), PATIENT):
        assert await numbers() == [0, 1, 2, 3, 4]
        await asyncio.to_thread(cluster.process.stop)
        for refused in (fetch_one("SELECT 1 AS one"), transaction(numbers)):
            with pytest.raises(DBConnectionError, match="connection was lost"):
                await refused
        await asyncio.to_thread(cluster.start)
        assert await numbers() == [0, 1, 2, 3, 4]
        assert await transaction(numbers) == [0, 1, 2, 3, 4]
        assert all_idle(at_most=24)


async def test_a_database_that_is_not_there_is_told(postgres_url: str) -> None:
    try:
        with pytest.raises(DBConnectionError):
            await storage.connect(f"{postgres_url}_of_nobody")
    finally:
        await storage.close()


def assert_no_thread_of_sqlite_is_left() -> None:
    """Each connection of SQLite has a thread, which keeps its process alive until it is closed."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(5)
            assert not thread.is_alive(), thread


@pytest.mark.parametrize("content", ["junk", "folder"])
async def test_a_file_that_is_no_database_is_told_and_keeps_no_process_alive(
    content: str, tmp_path: Path
) -> None:
    path = tmp_path / "jifen.db"
    if content == "junk":
        path.write_bytes(b"this is not a database " * 100)
    else:
        path.mkdir()
    try:
        with pytest.raises((sqlite3.DatabaseError, OperationalError)):
            await storage.connect(f"sqlite://{path}")
    finally:
        await storage.close()
    assert_no_thread_of_sqlite_is_left()


async def test_closing_ends_every_connection_and_may_be_repeated(database_url: str) -> None:
    await storage.connect(database_url)
    await asyncio.gather(*(themes() for _ in range(5)))
    await storage.close()
    await storage.close()
    assert_no_thread_of_sqlite_is_left()
    await storage.connect(database_url)
    assert await themes() == []
    await storage.close()


async def test_a_new_file_that_another_process_prepares_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switching a new file to WAL fails at once while another process holds it."""
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    attempts: list[str] = []

    def connect(*arguments: Any, **options: Any) -> Any:
        attempts.append("another")
        if len(attempts) == 3:
            other.execute("COMMIT")
        return original(*arguments, **options)

    original = aiosqlite.connect
    monkeypatch.setattr(aiosqlite, "connect", connect)
    async with connected(f"sqlite://{path}", HASTY):
        # Twice in vain, then one connection for writing and two for reading.
        assert len(attempts) == 5
        assert connection_statistics() == {"open": 3, "idle": 3}
    other.close()


async def test_a_database_in_memory_has_one_connection_for_all() -> None:
    async with connected("sqlite://:memory:"):
        assert await storage.migrate() != []
        await transaction(lambda: add_theme("a"))
        assert await themes() == ["a"]
        assert connection_statistics() == {"open": 1, "idle": 1}


@pytest.mark.parametrize("url", ["mysql://localhost/jifen", "jifen.db", ""])
async def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must begin with sqlite:// or postgres://"):
        await storage.connect(url)
