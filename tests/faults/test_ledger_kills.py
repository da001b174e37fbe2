"""kill -9 of the gateway and of the database while clients post: nothing lost, nothing twice.

What is killed here are processes. The system below them lives on and writes what they gave it, so
this shows nothing about the loss of power.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import pytest

from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.faults.posting import (
    UNANSWERED,
    Clients,
    assert_answered_alike,
    assert_posted_once,
    postings,
)
from tests.faults.serving import PATIENT, Serving
from tests.faults.town import settle
from tests.servers import (
    CouldNotStart,
    OwnPostgres,
    OwnRedis,
    PostgresDatabases,
    find_binaries,
)
from tests.servers.guarded import Deadline

pytestmark = [pytest.mark.faults, pytest.mark.soak]

Tally = Callable[[str, int, int], None]

GATEWAY_KILLS: Final = 50
GATEWAY_KILLS_SHORT: Final = 3
POSTINGS: Final = 10_000
POSTINGS_SHORT: Final = 500
DATABASE_KILLS: Final = 20
DATABASE_KILLS_SHORT: Final = 2
POSTINGS_BETWEEN_KILLS: Final = 60
READY_WITHIN_S: Final = 10.0
READY_WITHIN_S_SHORT: Final = 30.0
"""Starting a process is most of it, which a busy machine takes its time for."""

EMBEDDED: Final = {**PATIENT, "JIFEN_ENVIRONMENT": "development"}
"""Production asks for PostgreSQL."""


@pytest.fixture
def durable_postgres(report: ClosingReport) -> Iterator[OwnPostgres]:
    """A PostgreSQL of this test's own that keeps what it acknowledged."""
    for binaries in find_binaries():
        with contextlib.suppress(CouldNotStart):
            server = OwnPostgres(binaries, durable=True)
            break
    else:
        part_is_missing(report, "postgresql", "no binaries that start")
    report.parts["postgresql"] = f"{server.version} from {server.origin}"
    with contextlib.closing(server):
        yield server


@pytest.fixture
def durable_database(durable_postgres: OwnPostgres) -> Iterator[str]:
    """A fresh, migrated database on it."""
    with (
        contextlib.closing(PostgresDatabases(durable_postgres)) as databases,
        databases.fresh() as url,
    ):
        yield url


@pytest.mark.timeout(1_800)
async def test_the_gateway_is_killed_among_postings(
    postgres_url: str,
    own_redis: OwnRedis,
    tmp_path: Path,
    *,
    full_form: bool,
    tally: Tally,
) -> None:
    kills = GATEWAY_KILLS if full_form else GATEWAY_KILLS_SHORT
    number = POSTINGS if full_form else POSTINGS_SHORT
    clients, ready = await kill_the_gateway(
        postgres_url, own_redis, tmp_path, kills=kills, number=number, environment=PATIENT
    )
    tally("kill -9 of the gateway (postgres) among postings, ready again", len(ready), kills)
    tally("postings acknowledged, each booked once", len(clients.known), number)
    tally("postings that a kill cut short, answered alike later", _doubted(clients), kills)


@pytest.mark.timeout(1_800)
async def test_the_embedded_database_is_killed_among_postings(
    sqlite_url: str,
    own_redis: OwnRedis,
    tmp_path: Path,
    *,
    full_form: bool,
    tally: Tally,
) -> None:
    kills = DATABASE_KILLS if full_form else DATABASE_KILLS_SHORT
    number = kills * POSTINGS_BETWEEN_KILLS
    clients, ready = await kill_the_gateway(
        sqlite_url, own_redis, tmp_path, kills=kills, number=number, environment=EMBEDDED
    )
    assert max(ready) <= (READY_WITHIN_S if full_form else READY_WITHIN_S_SHORT)
    tally("kill -9 of the SQLite process among postings, ready again", len(ready), kills)
    tally("postings acknowledged, each booked once (sqlite)", len(clients.known), number)
    tally("postings that a kill cut short (sqlite)", _doubted(clients), kills)


@pytest.mark.timeout(1_800)
async def test_postgres_is_killed_among_postings(
    durable_postgres: OwnPostgres,
    durable_database: str,
    own_redis: OwnRedis,
    tmp_path: Path,
    *,
    full_form: bool,
    tally: Tally,
) -> None:
    kills = DATABASE_KILLS if full_form else DATABASE_KILLS_SHORT
    number = kills * POSTINGS_BETWEEN_KILLS
    town = await settle(durable_database, tmp_path, orders_each=1)
    assert await settings_of(durable_database) == {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
    }
    with Serving(town, tmp_path, redis_url=own_redis.url, environment=PATIENT) as gateway:
        todo = postings(town, number, prefix="crash")
        clients = Clients(gateway.url, town.shop_token, todo)
        ready: list[float] = []
        async with clients.at_work():
            for kill in range(1, kills + 1):
                await clients.answered(kill * number // (kills + 1))
                await asyncio.to_thread(crash, durable_postgres)
                await asyncio.to_thread(durable_postgres.start_again)
                accepts_at = time.monotonic()
                await clients.next_answer()
                await asyncio.to_thread(answers_ready, gateway)
                ready.append(time.monotonic() - accepts_at)
        await assert_answered_alike(clients)
        assert gateway.logged("internal_error") == []
    await assert_posted_once(town, clients)

    print(f"\n{dict(clients.outcomes)}; ready after {', '.join(f'{s:.2f}' for s in ready)} s")
    assert max(ready) <= READY_WITHIN_S
    recovered = (durable_postgres.folder / "log").read_text().count("was not properly shut down")
    tally("kill -9 of PostgreSQL recovered from its log", recovered, kills)
    tally("ready within 10 s of the database's accepting", len(ready), kills)
    tally("postings acknowledged, each booked once (postgres killed)", len(clients.known), number)
    tally("postings that a crash cut short", _doubted(clients), kills)


async def kill_the_gateway(
    database_url: str,
    redis: OwnRedis,
    folder: Path,
    *,
    kills: int,
    number: int,
    environment: dict[str, str],
) -> tuple[Clients, list[float]]:
    """Post while the gateway is killed again and again.

    Returns the clients, once all is checked, and the seconds from each new start to being ready.
    """
    town = await settle(database_url, folder, orders_each=1)
    gateway = Serving(town, folder, redis_url=redis.url, environment=environment)
    clients = Clients(gateway.url, town.shop_token, postings(town, number, prefix="kill"))
    ready: list[float] = []
    with gateway:
        async with clients.at_work():
            for kill in range(1, kills + 1):
                await clients.answered(kill * number // (kills + 1))
                pid = gateway.pid
                await asyncio.to_thread(gateway.__exit__)
                began = time.monotonic()
                await asyncio.to_thread(gateway.__enter__)
                ready.append(time.monotonic() - began)
                assert gateway.pid != pid
        await assert_answered_alike(clients)
        assert gateway.logged("internal_error") == []
    await assert_posted_once(town, clients)
    print(f"\n{dict(clients.outcomes)}; ready after {', '.join(f'{s:.2f}' for s in ready)} s")
    replayed = sum(known.replayed for known in clients.known.values())
    print(f"{replayed} had taken effect when their answer was lost")
    assert clients.outcomes[UNANSWERED] >= kills, "every kill cuts a posting short"
    return clients, ready


def crash(server: OwnPostgres) -> None:
    """Kill the server and all its processes: the end of the machine ends them all, too.

    Otherwise a backend that lives a moment longer keeps the next server from starting.
    """
    family = [server.process.pid, *children_of(server.process.pid)]
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.kill()


def children_of(parent: int) -> list[int]:
    """The processes that this one has begun."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state ppid: the name may hold blanks.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


async def settings_of(url: str) -> dict[str, str]:
    """What decides whether an acknowledged commit survives."""
    connection = await asyncpg.connect(url)
    try:
        names = ("fsync", "full_page_writes", "synchronous_commit")
        return {name: await connection.fetchval(f"SHOW {name}") for name in names}
    finally:
        await connection.close()


def answers_ready(gateway: Serving) -> None:
    """Wait until the gateway says that it is ready."""
    deadline = Deadline(READY_WITHIN_S)
    with httpx.Client(base_url=gateway.url, trust_env=False, timeout=5) as http:
        while http.get("/readyz").status_code != 200:
            assert deadline.pause(), "the gateway is not ready"


def _doubted(clients: Clients) -> int:
    return sum(known.tries > 1 for known in clients.known.values())
