"""Migrations are applied once, whole or not at all, and agree with the models."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from tortoise.exceptions import IntegrityError

from domain import access, storage
from domain.ledger import post, verify_account
from domain.outbox import PROGRAMME, Event, announce, positions, stream
from domain.storage.contexts import CONTEXTS
from tests.domain.access.fixtures import OPERATOR
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem
from tests.domain.storage.connected import connected
from tests.graphql.kept import everything_kept
from tests.repository.tree import ROOT
from tests.servers import PostgresDatabases

ALL = sorted(
    f"{context}.{file.stem}"
    for context in CONTEXTS
    for file in (ROOT / "migrations" / context).glob("[0-9]*.py")
)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database: nothing is migrated."""
    if request.param == "sqlite":
        yield f"sqlite://{tmp_path / 'empty.db'}"
        return
    # A migrated copy shows the server; the empty database stands beside it.
    copy: str = request.getfixturevalue("postgres_url")
    server = request.getfixturevalue("_postgres_databases")
    assert isinstance(server, PostgresDatabases)
    name = f"{copy.rpartition('/')[2]}_empty"
    server._server.run(f"CREATE DATABASE {name}")
    yield server._server.url(name)
    server._server.run(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.asynccontextmanager
async def migrating(url: str, *arguments: str) -> AsyncIterator[Process]:
    """A process that is connected and waits for the word to migrate."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.repository.migrating", url, *arguments),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def tables_of(url: str) -> list[str]:
    async with connected(url):
        names = {
            "postgres": "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p', 'v')"
            " AND relnamespace = 'public'::regnamespace ORDER BY 1",
            "sqlite": "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1",
        }[storage.dialect()]
        return [row["name"] for row in await storage.fetch_all(names)]


@pytest.mark.usefixtures("database")
async def test_models_and_migrations_do_not_drift_apart() -> None:
    assert await storage.drift() == []


@pytest.mark.usefixtures("database")
async def test_a_migrated_database_lacks_nothing_and_migrating_again_does_nothing() -> None:
    assert await storage.pending_migrations() == []
    assert await storage.migrate() == []


async def test_an_empty_database_lacks_every_migration(empty_url: str) -> None:
    async with connected(empty_url):
        assert sorted(await storage.pending_migrations()) == ALL
    assert await tables_of(empty_url) == []


async def test_of_two_processes_that_migrate_at_once_one_applies_all(empty_url: str) -> None:
    async with migrating(empty_url) as one, migrating(empty_url) as two:
        answers = await asyncio.gather(one.communicate(b"go\n"), two.communicate(b"go\n"))
    applied = sorted((orjson.loads(output) for output, _ in answers), key=len)
    assert (one.returncode, two.returncode) == (0, 0)
    assert applied[0] == []
    assert sorted(applied[1]) == ALL
    async with connected(empty_url):
        assert await storage.pending_migrations() == []


async def test_a_migration_killed_half_way_leaves_nothing_and_runs_again(empty_url: str) -> None:
    async with migrating(empty_url, "30") as killed:
        output, _ = await killed.communicate(b"go\n")
    assert killed.returncode == -signal.SIGKILL
    assert output == b""
    assert await tables_of(empty_url) == []
    async with connected(empty_url):
        assert sorted(await storage.migrate()) == ALL
        assert await storage.migrate() == []


OUTBOX_AS_IT_WAS = {
    "postgres": "CREATE TABLE outbox (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ",
    "sqlite": "CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, ",
}


@pytest.mark.usefixtures("database")
async def test_events_of_before_are_numbered_in_their_order() -> None:
    """Migration outbox.0002, on a database that has lived."""
    later = ("outbox", "outbox_stream", "outbox_parked", "outbox_consumed")
    for statement in (
        *(f"DROP TABLE {table}" for table in later),
        OUTBOX_AS_IT_WAS[storage.dialect()] + "member_id UUID, kind TEXT NOT NULL, "
        "payload JSONB NOT NULL, announced_at TIMESTAMPTZ NOT NULL, delivered_at TIMESTAMPTZ)",
        "CREATE INDEX outbox_undelivered ON outbox (id) WHERE delivered_at IS NULL",
        "CREATE INDEX outbox_member ON outbox (member_id, id)",
        "DELETE FROM tortoise_migrations WHERE app = 'outbox' AND name <> '0001_initial'",
    ):
        await storage.execute(statement)
    for kind, member_id in [("A", ALICE), ("B", None), ("C", BOB), ("D", ALICE), ("E", None)]:
        await storage.execute(
            "INSERT INTO outbox (member_id, kind, payload, announced_at) VALUES ($1, $2, '{}', $3)",
            member_id,
            kind,
            NOW,
        )
    assert "outbox.0002_streams" in await storage.migrate()
    found = {
        member_id: [(one.seq, one.kind) for one in await stream(member_id, after=0, limit=9)]
        for member_id in (ALICE, BOB, PROGRAMME)
    }
    assert found == {
        ALICE: [(1, "A"), (2, "D")],
        BOB: [(1, "C")],
        PROGRAMME: [(1, "B"), (2, "E")],
    }
    await announce([Event(kind="F", member_id=ALICE, facts={})], now=NOW)
    assert await positions([ALICE, BOB]) == {ALICE: 3, BOB: 1}


ACCOUNTS_AS_THEY_WERE = (
    "CREATE TABLE api_client (id UUID NOT NULL PRIMARY KEY, code TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL, kind TEXT NOT NULL, scopes TEXT NOT NULL, created_at TIMESTAMPTZ"
    " NOT NULL, disabled_at TIMESTAMPTZ, tokens_not_before TIMESTAMPTZ)",
    "CREATE TABLE staff_account (id UUID NOT NULL PRIMARY KEY, login TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL, roles TEXT NOT NULL, created_at TIMESTAMPTZ NOT NULL,"
    " disabled_at TIMESTAMPTZ, tokens_not_before TIMESTAMPTZ)",
)


@pytest.mark.usefixtures("database")
async def test_clients_and_staff_of_before_come_into_one_table() -> None:
    """Migration access.0002, on a database that has lived."""
    for statement in (
        "DROP TABLE access_account",
        *ACCOUNTS_AS_THEY_WERE,
        "DELETE FROM tortoise_migrations WHERE app = 'access' AND name <> '0001_initial'",
    ):
        await storage.execute(statement)
    later = NOW + days(1)
    for code, kind, disabled_at in (("tea", "shop", None), ("arcade", "partner", later)):
        await storage.execute(
            "INSERT INTO api_client VALUES ($1, $2, 'A name', $3, 'a:b c:d', $4, $5, $5)",
            *(uuid4(), code, kind, NOW, disabled_at),
        )
    for login, roles in (("li.na", "owner points service"), ("tea", "approver points"), ("x", "")):
        await storage.execute(
            "INSERT INTO staff_account VALUES ($1, $2, 'A name', $3, $4, NULL, NULL)",
            *(uuid4(), login, roles, NOW),
        )
    assert "access.0002_one_account_table" in await storage.migrate()
    found = {
        one.code: (one.kind.value, sorted(one.grants), one.disabled_at, one.tokens_not_before)
        for one in await access.accounts(access.ACCOUNT_KINDS)
    }
    assert found == {
        "tea": ("shop", ["a:b", "c:d"], None, None),
        "arcade": ("partner", ["a:b", "c:d"], later, later),
        "li.na": ("staff", ["admin", "finance", "support"], None, None),
        "staff:tea": ("staff", ["finance"], None, None),
        "x": ("staff", [], None, None),
    }
    tables = await everything_kept()
    assert {"api_client", "staff_account"}.isdisjoint(tables)
    assert await storage.drift() == []


async def an_account(code: str) -> access.Account:
    command = access.RegisterAccount(
        kind=access.CallerKind.SHOP, code=code, name=code, grants=frozenset()
    )
    return await access.register_account(command, by=OPERATOR, now=NOW)


# What no journal lets happen to it, also not by way of another statement.
_CHANGES = {
    "postgres": [
        "UPDATE {table} SET {column} = {column}",
        "DELETE FROM {table}",
        "TRUNCATE {table}",
        "INSERT INTO {table} SELECT * FROM {table} ON CONFLICT ({key}) DO UPDATE "
        "SET {column} = excluded.{column}",
    ],
    "sqlite": [
        "UPDATE {table} SET {column} = {column}",
        "DELETE FROM {table}",
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        "INSERT INTO {table} SELECT * FROM {table} WHERE TRUE ON CONFLICT ({key}) DO UPDATE "
        "SET {column} = excluded.{column}",
    ],
}
_JOURNALS = {
    "points_entry": "member_id, seq",
    "points_draw": "member_id, entry_seq, lot_seq",
    "level_change": "member_id, seq",
    "audit_entry": "seq",
}


@pytest.mark.usefixtures("database")
async def test_a_journal_refuses_every_change() -> None:
    await post([earn(100), redeem(30)], now=NOW)
    await storage.execute(
        "INSERT INTO level_change VALUES ($1, 1, NULL, 'gold', 'QUALIFIED', 100, 'purchase', $2)",
        ALICE,
        NOW,
    )
    await access.revoke_tokens((await an_account("shop")).code, by=OPERATOR, now=NOW)
    before = {table: await rows_of(table) for table in _JOURNALS}
    for table, key in _JOURNALS.items():
        for change in _CHANGES[storage.dialect()]:
            statement = change.format(table=table, key=key, column=key.partition(",")[0])
            with pytest.raises(IntegrityError, match=rf"{table}(_p\d)? is append-only"):
                await storage.execute(statement)
    assert {table: await rows_of(table) for table in _JOURNALS} == before
    assert [len(rows) for rows in before.values()] == [2, 1, 1, 2]
    assert await verify_account(ALICE) == []


async def rows_of(table: str) -> list[str]:
    return sorted(str(dict(row)) for row in await storage.fetch_all(f"SELECT * FROM {table}"))


async def test_no_partition_of_a_journal_is_emptied_or_changed(postgres_url: str) -> None:
    async with connected(postgres_url):
        for table in ("points_entry", "points_draw"):
            for part in range(8):
                with pytest.raises(IntegrityError, match=f"{table}_p{part} is append-only"):
                    await storage.execute(f"TRUNCATE {table}_p{part}")
