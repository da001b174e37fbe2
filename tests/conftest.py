"""Fixtures for every test: databases, Redis, real files, counts; and the guard on sockets.

The environment chooses: TEST_DATABASE_URL and TEST_REDIS_URL name servers to use instead of our
own, JIFEN_DATA names the folder of real files, JIFEN_SOAK asks for the long forms, and
JIFEN_REQUIRE_ALL_PARTS makes a missing part fail the run instead of being reported.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import fakeredis
import pytest
import structlog
from redis import asyncio as aioredis

from tests import sockets
from tests.closing import REQUIRED, ClosingReport, all_parts_required
from tests.parallel import Worker, Workers, is_worker, workers
from tests.servers import (
    CouldNotStart,
    PostgresDatabases,
    Redis,
    SqliteDatabases,
    open_postgres,
    open_redis,
)
from tests.servers.guarded import sweep

# Readline exports the terminal's size to child processes, so to those that tests are run in at the
# same time; consoles that are made there would keep it as theirs.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

REPORT = pytest.StashKey[ClosingReport]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes `-n auto` splits this run over."""
    return workers(config)


def pytest_configure(config: pytest.Config) -> None:
    """Close the network, sweep up after killed runs, open the report."""
    report = config.stash[REPORT] = ClosingReport()
    urls = (os.environ.get(name, "") for name in ("TEST_DATABASE_URL", "TEST_REDIS_URL"))
    hosts = {urlsplit(url).hostname for url in urls}
    sockets.block_outside(allowed_hosts=frozenset(host for host in hosts if host))
    if is_worker(config):
        config.pluginmanager.register(Worker(config, report))
    else:
        config.pluginmanager.register(Workers(report))
        sweep()


def pytest_collection_finish() -> None:
    """Let the garbage collector leave the program and the tests alone, and come less often.

    Thousands of short tests over a program of 2,000 modules: a sixth of all time went into it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 10)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what this run leaves to another command."""
    for item in items:
        for marker in REQUIRED:
            if item.get_closest_marker(marker):
                item.config.stash[REPORT].left[marker] += 1


def pytest_unconfigure() -> None:
    """Open the network again: pytest may run inside another program."""
    sockets.unblock()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where every part is required, a green run that lacked one is red."""
    config = session.config
    if config.option.collectonly or not all_parts_required() or is_worker(config):
        return
    lacking = config.stash[REPORT].unproven(config.option.markexpr)
    if lacking and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the report's sections, the missing parts in red."""
    report = config.stash[REPORT]
    for title, lines in report.lines():
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.line(line, red="MISSING" in line)
    if all_parts_required() and not config.option.collectonly:
        for part in report.unproven(config.option.markexpr):
            terminalreporter.line(f"{part}: REQUIRED, and no test ran with it", red=True)


@pytest.fixture(scope="module", autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A gateway configures the logs of its whole process; the next module begins anew."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _phone_keys(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keys of phone numbers for this process, until a gateway brings its own."""
    from domain.members import PhoneKeyFile, use_phone_keys

    path = tmp_path_factory.mktemp("phones") / "phone-keys.json"
    use_phone_keys(PhoneKeyFile(path, now=datetime.now(UTC), create_missing=True))


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> ClosingReport:
    """The closing report of this run."""
    return pytestconfig.stash[REPORT]


@pytest.fixture(scope="session")
def _sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def _postgres_databases(report: ClosingReport) -> Iterator[PostgresDatabases | str]:
    """The databases, or in words why there are none: only a test may be skipped, not a session."""
    try:
        server = open_postgres()
    except CouldNotStart as failure:
        yield str(failure)
        return
    with contextlib.closing(server), contextlib.closing(PostgresDatabases(server)) as databases:
        report.parts["postgresql"] = f"{server.version} from {server.origin}"
        yield databases


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database: the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(
        "sqlite_url" if request.param == "sqlite" else "postgres_url"
    )
    return url


@pytest.fixture
def sqlite_url(tmp_path: Path, _sqlite_databases: SqliteDatabases, report: ClosingReport) -> str:
    """A fresh, migrated database on SQLite only."""
    report.parts["sqlite"] = f"{sqlite3.sqlite_version}, the library of this Python"
    return _sqlite_databases.fresh(tmp_path)


@pytest.fixture
def postgres_url(
    _postgres_databases: PostgresDatabases | str, report: ClosingReport
) -> Iterator[str]:
    """A fresh, migrated database on PostgreSQL only, dropped after the test."""
    if isinstance(_postgres_databases, str):
        part_is_missing(report, "postgresql", _postgres_databases)
    with _postgres_databases.fresh() as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[str]:
    """This process connected to a fresh, migrated database; its URL."""
    from domain import storage

    await storage.connect(database_url)
    yield database_url
    await storage.close()


@pytest.fixture(scope="session")
def _redis_server(report: ClosingReport) -> Iterator[Redis]:
    server = open_redis()
    yield server
    server.close()


@pytest.fixture
def redis_url(_redis_server: Redis, report: ClosingReport) -> str:
    """An empty Redis: a real one where the machine has it, else `memory://`."""
    if _redis_server.real:
        report.parts["redis"] = f"{_redis_server.version} from {_redis_server.origin}"
    elif all_parts_required():
        part_is_missing(report, "redis", _redis_server.origin)
    else:
        report.missing["redis"] = f"{_redis_server.origin}; fakeredis stood in for it"
    _redis_server.empty()
    return _redis_server.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    """A client of the empty Redis."""
    client: aioredis.Redis = (
        fakeredis.FakeAsyncRedis()
        if redis_url == "memory://"
        else aioredis.Redis.from_url(redis_url)
    )
    async with client:
        yield client


@pytest.fixture
def real_data(report: ClosingReport) -> Path:
    """The folder of real files that JIFEN_DATA names."""
    named = os.environ.get("JIFEN_DATA")
    if not named or not Path(named).is_dir():
        reason = f"JIFEN_DATA names no folder: {named!r}" if named else "JIFEN_DATA is not set"
        part_is_missing(report, "JIFEN_DATA", reason)
    report.parts["JIFEN_DATA"] = "real files found"
    return Path(named)


@pytest.fixture(scope="session")
def full_form() -> bool:
    """Whether tests marked `soak` run their long form now."""
    return bool(os.environ.get("JIFEN_SOAK"))


@pytest.fixture
def tally(report: ClosingReport) -> Callable[[str, int, int], None]:
    """`tally(name, count, floor)` prints a count at the end; below the floor it fails."""
    return report.count


def part_is_missing(report: ClosingReport, part: str, reason: str) -> NoReturn:
    report.missing[part] = reason
    report.not_run[part] += 1
    if all_parts_required():
        pytest.fail(f"{part} is required: {reason}")
    pytest.skip(f"{part}: {reason}")
