"""What tests of faults begin with: servers of their own, which they may stop, and a town."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.faults.town import Town, settle
from tests.servers import (
    CouldNotStart,
    OwnPostgres,
    OwnRedis,
    PostgresDatabases,
    find_binaries,
    open_redis,
)


@pytest.fixture
def own_redis(report: ClosingReport) -> Iterator[OwnRedis]:
    """A Redis that only this test uses."""
    server = open_redis()
    if not isinstance(server, OwnRedis):
        part_is_missing(report, "redis", f"{server.origin}: it may not be stopped")
    report.parts["redis"] = f"{server.version} from {server.origin}"
    with contextlib.closing(server):
        yield server


@pytest.fixture
def own_postgres(report: ClosingReport) -> Iterator[OwnPostgres]:
    """A PostgreSQL that only this test uses."""
    for binaries in find_binaries():
        with contextlib.suppress(CouldNotStart):
            server = OwnPostgres(binaries)
            break
    else:
        part_is_missing(report, "postgresql", "no binaries that start")
    report.parts["postgresql"] = f"{server.version} from {server.origin}"
    with contextlib.closing(server):
        yield server


@pytest.fixture
async def town(postgres_url: str, tmp_path: Path) -> Town:
    """A town on PostgreSQL."""
    return await settle(postgres_url, tmp_path)


@pytest.fixture
def own_database(own_postgres: OwnPostgres) -> Iterator[str]:
    """A fresh, migrated database on the PostgreSQL that only this test uses."""
    with (
        contextlib.closing(PostgresDatabases(own_postgres)) as databases,
        databases.fresh() as url,
    ):
        yield url
