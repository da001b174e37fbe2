"""SQLite through aiosqlite: one writer behind a lock, two readers that need not wait for it.

Stock Tortoise hangs for ever when a task is cancelled inside `begin()` (its lock is never
released), and begins with plain BEGIN, under which 61 of 120 read-modify-write transactions from
two processes fail. Here BEGIN IMMEDIATE runs through `finish`; 200 of 200 succeed.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import UUID

import aiosqlite
import stamina
from tortoise.backends.base.client import (
    ConnectionWrapper,
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
    translate_exceptions,
)
from tortoise.connection import get_connections
from tortoise.exceptions import TransactionManagementError
from typing_extensions import override

from domain.storage.engines.finish import finish
from domain.storage.engines.observing import running, waiting
from domain.storage.engines.statements import Row, for_sqlite, note
from domain.storage.faults import ConnectionsBusy

T = TypeVar("T")

_READERS = 2


def _instant_text(value: datetime) -> str:
    """UTC, fixed width: text that sorts as the instants do."""
    return value.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")


def _stored(value: object) -> str:
    """A list's item as the column that it is looked up in stores it."""
    return _instant_text(value) if isinstance(value, datetime) else str(value)


def _json_text(value: list[Any]) -> str:
    return json.dumps(value, default=_stored)


sqlite3.register_adapter(UUID, str)
sqlite3.register_adapter(datetime, _instant_text)
sqlite3.register_adapter(list, _json_text)
sqlite3.register_converter("UUID", lambda raw: UUID(raw.decode()))
sqlite3.register_converter("TIMESTAMPTZ", lambda raw: datetime.fromisoformat(raw.decode()))
sqlite3.register_converter("TIMESTAMP", lambda raw: datetime.fromisoformat(raw.decode()))
sqlite3.register_converter("DATE", lambda raw: date.fromisoformat(raw.decode()))
sqlite3.register_converter("BOOLEAN", lambda raw: raw != b"0")
# A JSONB column has numeric affinity here: a bare number in it comes back as text all the same.
sqlite3.register_converter("JSONB", lambda raw: raw.decode())


def _is_locked(exc: Exception) -> bool:
    """Two processes that open a new file at once: one switches it to WAL, without waiting."""
    return isinstance(exc, sqlite3.OperationalError) and "locked" in str(exc)


def _statements_of(script: str) -> Iterator[str]:
    """The statements of a script. The semicolons inside a trigger or a literal end none."""
    pending = ""
    for piece in script.split(";"):
        pending += f"{piece};"
        if sqlite3.complete_statement(pending):
            if pending.strip(" \n;"):
                yield pending
            pending = ""


class _Statements:
    """Plain statements for the writer and for the client of one transaction."""

    acquire_connection: Any  # Tortoise's client, which each user of this mixin is, has it.

    @translate_exceptions
    async def fetch_rows(self, sql: str, values: Sequence[Any]) -> Sequence[Row]:
        note(sql)
        async with self.acquire_connection() as connection:
            with running(sql) as statement:
                rows: Sequence[Row] = await connection.execute_fetchall(for_sqlite(sql), values)
                statement.rows = len(rows)
                return rows

    @translate_exceptions
    async def run_statement(self, sql: str, values: Sequence[Any]) -> int:
        note(sql)
        async with self.acquire_connection() as connection:
            with running(sql) as statement:
                async with connection.execute(for_sqlite(sql), values) as cursor:
                    changed: int = max(cursor.rowcount, 0)
                statement.rows = changed
                return changed

    @translate_exceptions
    async def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        note(sql)
        async with self.acquire_connection() as connection:
            with running(sql):
                await connection.executemany(for_sqlite(sql), rows)

    # What the ORM sends is observed too.

    async def execute_query(self, query: str, values: Any = None) -> Any:
        note(query)
        with running(query):
            return await super().execute_query(query, values)  # type: ignore[misc]

    async def execute_query_dict(self, query: str, values: Any = None) -> Any:
        note(query)
        with running(query):
            return await super().execute_query_dict(query, values)  # type: ignore[misc]

    async def execute_insert(self, query: str, values: Any) -> Any:
        note(query)
        with running(query):
            return await super().execute_insert(query, values)  # type: ignore[misc]


async def _within(wait_s: float, turn: Awaitable[T]) -> T:
    """Wait for one's turn; ConnectionsBusy after `wait_s` seconds."""
    try:
        with waiting():
            async with asyncio.timeout(wait_s):
                return await turn
    except TimeoutError as busy:
        raise ConnectionsBusy(waited_s=wait_s) from busy


class _BoundedWriter(ConnectionWrapper[Any]):
    """Takes the writer for one statement, waiting no longer than it may."""

    async def __aenter__(self) -> Any:
        await _within(self.client.wait_s, self._lock.acquire())  # type: ignore[attr-defined]
        try:
            await self.ensure_connection()
        except BaseException:
            self._lock.release()
            raise
        return self.connection


class EmbeddedClient(_Statements, SqliteClient):
    """The client outside transactions: SELECTs go to a reader, everything else to the writer."""

    def __init__(self, file_path: str, *, wait_s: float = 4.0, **kwargs: Any) -> None:
        super().__init__(file_path, **kwargs)
        self.wait_s = wait_s
        self._readers: list[aiosqlite.Connection] = []
        self._free_readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        self._opening = asyncio.Lock()

    @override
    async def create_connection(self, with_db: bool) -> None:
        async with self._opening:
            if self._connection is None:
                await finish(self._open())

    async def _open(self) -> None:
        try:
            self._connection = await self._connect(self.pragmas)
            if self.filename != ":memory:":
                for _ in range(_READERS):
                    reader = await self._connect({**self.pragmas, "query_only": "ON"})
                    self._readers.append(reader)
                    self._free_readers.put_nowait(reader)
        except BaseException:
            await self.close()
            raise
        await self._post_connect()

    @translate_exceptions
    @stamina.retry(on=_is_locked, attempts=10, wait_initial=0.02, wait_max=0.2)
    async def _connect(self, pragmas: dict[str, Any]) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(
            self.filename, isolation_level=None, detect_types=sqlite3.PARSE_DECLTYPES
        )
        try:
            connection._conn.row_factory = sqlite3.Row
            for pragma, value in pragmas.items():
                await connection.execute_fetchall(f"PRAGMA {pragma}={value}")
        except BaseException:
            # An unclosed connection keeps its thread, and with it the process, alive.
            await connection.close()
            raise
        return connection

    @override
    async def close(self) -> None:
        readers, self._readers = self._readers, []
        self._free_readers = asyncio.Queue()
        for reader in readers:
            await finish(reader.close())
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await finish(connection.close())

    def _is_read(self, sql: str) -> bool:
        return bool(self._readers) and sql.lstrip().upper().startswith(("SELECT", "WITH"))

    @translate_exceptions
    async def _read(self, sql: str, values: Sequence[Any]) -> Sequence[Row]:
        """Ask a reader: it sees the last commit and waits for no writer."""
        note(sql)
        free = self._free_readers
        reader = await _within(self.wait_s, free.get())
        try:
            with running(sql) as statement:
                found: Any = await reader.execute_fetchall(for_sqlite(sql), values)
                statement.rows = len(found)
                return list(found)
        finally:
            free.put_nowait(reader)

    @override
    async def fetch_rows(self, sql: str, values: Sequence[Any]) -> Sequence[Row]:
        if self._is_read(sql):
            read: Sequence[Row] = await self._read(sql, values)
            return read
        rows: Sequence[Row] = await super().fetch_rows(sql, values)
        return rows

    @override
    async def execute_query(self, query: str, values: Any = None) -> Any:
        if self._is_read(query):
            rows = await self._read(query, values or ())
            return len(rows), rows
        return await super().execute_query(query, values)

    @override
    async def execute_query_dict(self, query: str, values: Any = None) -> Any:
        if self._is_read(query):
            return [dict(row) for row in await self._read(query, values or ())]
        return await super().execute_query_dict(query, values)

    @override
    async def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        async with self._in_transaction() as client:
            await client.run_many(sql, rows)  # type: ignore[attr-defined]

    @override
    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        async with self._in_transaction() as client:
            await client.execute_many(query, values)

    @override
    def acquire_connection(self) -> Any:
        return _BoundedWriter(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(_EmbeddedTransaction(self), self._lock)

    async def as_of_one_moment(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`, which only reads, on one reader, which sees one commit until the end.

        A database in memory has no readers: there the writer is kept for as long.
        """
        if not self._readers:
            async with self._in_transaction():
                return await work()
        free = self._free_readers
        reader = await _within(self.wait_s, free.get())
        moment = _Moment(self, reader)
        token = get_connections().set(self.connection_name, moment)
        try:
            await finish(moment.begin())
            return await work()
        finally:
            get_connections().reset(token)
            try:
                await finish(moment.end())
            finally:
                free.put_nowait(reader)

    def connection_statistics(self) -> dict[str, int]:
        """Connections open, and how many of them are idle (the writer counts while unlocked)."""
        writer_open = int(self._connection is not None)
        writer_idle = int(writer_open and not self._lock.locked())
        return {
            "open": len(self._readers) + writer_open,
            "idle": self._free_readers.qsize() + writer_idle,
        }


class _EmbeddedTransaction(_Statements, SqliteTransactionWrapper):
    """The client of one transaction, and of the savepoints inside it."""

    async def begin(self) -> None:
        # IMMEDIATE takes the write lock at once, so that what is read cannot change until COMMIT.
        await self._connection.execute_fetchall("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        # Some failures (a full disk) end the transaction, and COMMIT would then do nothing.
        if not self._connection.in_transaction:
            raise TransactionManagementError("the transaction has been rolled back")
        await super().commit()

    async def execute_script(self, query: str) -> None:
        # The driver's own executescript() would commit the transaction first.
        for statement in _statements_of(query):
            await self.execute_query(statement)

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_EmbeddedTransaction(self))


class _Moment(_EmbeddedTransaction):
    """The client of one reader that sees one commit; it can write nothing (`query_only`)."""

    def __init__(self, parent: SqliteClient, reader: aiosqlite.Connection) -> None:
        super().__init__(parent)
        self._connection = reader

    async def begin(self) -> None:
        # Deferred: what is seen is the newest commit when the first statement reads.
        await self._connection.execute_fetchall("BEGIN")

    async def end(self) -> None:
        if self._connection.in_transaction:
            await self._connection.rollback()


class _Transaction(SqliteTransactionContext):
    async def __aenter__(self) -> TransactionalDBClient:
        client: Any = self.connection
        await _within(client._parent.wait_s, self._trxlock.acquire())
        try:
            await self.ensure_connection()
            with running("BEGIN"):
                await finish(self._begin())
        except BaseException:
            await finish(self._abandon())
            raise
        self.token = get_connections().set(self.connection_name, client)
        transactional: TransactionalDBClient = client
        return transactional

    @translate_exceptions
    async def _begin_translated(self, _query: str) -> None:
        await self.connection.begin()

    async def _begin(self) -> None:
        await self._begin_translated("BEGIN IMMEDIATE")

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        client: Any = self.connection
        get_connections().reset(self.token)
        try:
            if exc_type is None and not client._finalized:
                with running("COMMIT"):
                    await finish(client.commit())
        finally:
            await finish(self._abandon())

    async def _abandon(self) -> None:
        """Roll back what is still open, then release the writer, whatever happened."""
        client: Any = self.connection
        try:
            connection = client._connection
            if connection is not None and connection.in_transaction:
                await connection.rollback()
        finally:
            self._trxlock.release()


client_class = EmbeddedClient
