"""The servers that tests run against come up from every source, and leave nothing behind."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
import redis as redis_client

from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.servers import (
    Binaries,
    CouldNotStart,
    ExternalPostgres,
    ExternalRedis,
    FakeRedis,
    OwnPostgres,
    find_binaries,
    open_postgres,
    open_redis,
)
from tests.servers.guarded import Account, GuardedProcess, sweep
from tests.servers.redis_server import OwnRedis


def binaries_from(origin: str) -> Binaries:
    return next(found for found in find_binaries() if found.origin == origin)


@pytest.fixture
def machine_postgres(report: ClosingReport) -> Binaries:
    found = next(iter(find_binaries()), None)
    if found is None:
        part_is_missing(report, "postgresql", "no binaries")
    return found


async def settings_of(url: str, *names: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        return {name: await connection.fetchval(f"SHOW {name}") for name in names}
    finally:
        await connection.close()


async def test_the_wheel_brings_a_cluster_where_the_machine_has_none() -> None:
    server = OwnPostgres(binaries_from("the wheel"))
    try:
        assert server.version.startswith("18.")
        assert await settings_of(server.url("postgres"), "fsync", "server_encoding") == {
            "fsync": "off",
            "server_encoding": "UTF8",
        }
    finally:
        server.close()
    assert not server.folder.exists()


def test_binaries_in_a_folder_closed_to_the_servers_account_are_copied(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    wheel = binaries_from("the wheel")
    closed_copy = replace(wheel, folder=wheel.copied_to(closed), root=closed)
    closed.chmod(0o700)
    server = OwnPostgres(closed_copy)
    try:
        server.run("SELECT 1")
    finally:
        server.close()


async def test_a_durable_cluster_recovers_what_it_acknowledged_before_a_crash(
    machine_postgres: Binaries,
) -> None:
    server = OwnPostgres(machine_postgres, durable=True)
    try:
        assert await settings_of(server.url("postgres"), "fsync", "full_page_writes") == {
            "fsync": "on",
            "full_page_writes": "on",
        }
        server.run("CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
        server.kill()
        with pytest.raises(ConnectionRefusedError):
            server.run("SELECT 1")
        server.start()
        connection = await asyncpg.connect(server.url("postgres"))
        assert await connection.fetchval("SELECT sum(n) FROM kept") == 7
        await connection.close()
    finally:
        server.close()


def test_a_stranger_without_the_password_is_refused(machine_postgres: Binaries) -> None:
    server = OwnPostgres(machine_postgres)
    try:
        stranger = server.url("postgres").replace(server.password, "guess")
        with pytest.raises(CouldNotStart, match="password authentication failed"):
            ExternalPostgres(stranger)
        known = ExternalPostgres(server.url("postgres"))
        known.run("CREATE DATABASE made_by_url")
        ExternalPostgres(known.url("made_by_url")).run("SELECT 1")
    finally:
        server.close()


def test_binaries_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(CouldNotStart, match="there is no postgres in"):
        OwnPostgres(Binaries(folder=tmp_path, origin="a test"))


def test_a_machine_without_binaries_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    monkeypatch.setattr("tests.servers.postgres.find_binaries", lambda: iter(()))
    with pytest.raises(CouldNotStart, match="no PostgreSQL binaries"):
        open_postgres()


def test_redis_is_named_or_found_or_faked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_REDIS_URL", "redis://127.0.0.1:1/0")
    with pytest.raises(CouldNotStart, match="TEST_REDIS_URL does not answer"):
        open_redis()
    monkeypatch.delenv("TEST_REDIS_URL")
    monkeypatch.setenv("PATH", "")
    assert isinstance(open_redis(), FakeRedis)


def test_a_redis_of_our_own_is_emptied_and_removed(report: ClosingReport) -> None:
    server = open_redis()
    if not isinstance(server, OwnRedis):
        part_is_missing(report, "redis", server.origin)
    try:
        with redis_client.Redis.from_url(server.url) as client:
            client.set("key", "value")
            ExternalRedis(server.url).empty()
            assert client.get("key") is None
    finally:
        server.close()
    assert not server.folder.exists()


def test_a_server_ends_with_the_run_that_started_it(machine_postgres: Binaries) -> None:
    """A run that is killed takes its cluster along, and the next run sweeps up its folder."""
    started = subprocess.Popen(
        [sys.executable, "-c", _START_AND_WAIT, str(machine_postgres.folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert started.stdout is not None
    folder, pid = started.stdout.readline().split()
    watched = os.pidfd_open(int(pid))
    started.send_signal(signal.SIGKILL)
    started.wait(10)
    started.stdout.close()
    # A process file descriptor becomes readable when the process ends.
    assert select.select([watched], [], [], 20)[0] == [watched]
    os.close(watched)
    assert Path(folder).exists()
    sweep()
    assert not Path(folder).exists()


_START_AND_WAIT = """
import signal, sys
from pathlib import Path
from tests.servers import Binaries, OwnPostgres
server = OwnPostgres(Binaries(folder=Path(sys.argv[1]), origin="a test"))
print(server.folder, server.process.pid, flush=True)
signal.pause()
"""


def test_a_server_that_fails_at_once_is_reported_with_its_log() -> None:
    account = Account.choose()
    folder = account.make_folder("broken")
    process = GuardedProcess(
        "/bin/sh",
        "-c",
        "echo no such luck >&2; exit 3",
        account=account,
        folder=folder,
        stop_signal=signal.SIGTERM,
    )

    def refused() -> None:
        raise ConnectionRefusedError

    with pytest.raises(CouldNotStart, match="the server does not answer: no such luck"):
        process.await_answer(refused, seconds=10, not_yet=(ConnectionError,))
    assert not process.alive
    shutil.rmtree(folder)
