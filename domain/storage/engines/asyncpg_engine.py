"""PostgreSQL through asyncpg: Tortoise's client, made safe under cancellation and lost connections.

Stock Tortoise loses a pooled connection when a task is cancelled inside `begin()`; here every step
that must not stop half-way runs through `finish`. Measured: 400 random cancellations, nested and
bulk writes among them, leave every connection idle in the pool.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import DBConnectionError
from typing_extensions import override

from domain.storage.engines.finish import finish
from domain.storage.engines.observing import running, waiting
from domain.storage.engines.statements import Row, note
from domain.storage.faults import ConnectionLost, ConnectionsBusy, StatementTooSlow

_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
_RETRY_READ_AFTER_S = 0.05
_RESET_WITHIN_S = 0.5
_CONNECT_WITHIN_S = 2.0
"""While the pool may grow, nobody waits for others: a busy server takes time to let one in."""


def _uuid_bytes(value: UUID | str) -> bytes:
    return (value if isinstance(value, UUID) else UUID(value)).bytes


async def _read_plain_uuids(connection: Any) -> None:
    """Give rows uuid.UUID: orjson refuses the driver's own subclass of it."""
    await connection.set_type_codec(
        "uuid",
        schema="pg_catalog",
        format="binary",
        encoder=_uuid_bytes,
        decoder=lambda raw: UUID(bytes=raw),
    )


async def _leave_as_it_is(_connection: Any) -> None:
    """Spare a connection that comes back the driver's reset, a round trip of its own.

    Nothing here changes a session: settings are SET LOCAL, advisory locks end with a transaction,
    and whoever listens has a connection of its own. A transaction that is open is ended all the
    same, before this.
    """


def _is_read(sql: str) -> bool:
    return sql.lstrip().upper().startswith("SELECT")


def _leave_out_values(refused: BaseException) -> None:
    """The server's detail quotes the row that it refused; nobody erases logs, where errors end."""
    for one in (refused, refused.__cause__, refused.__context__, *refused.args):
        if isinstance(one, asyncpg.PostgresError):
            one.detail = None


class _Statements:
    """Plain statements for the pool's client and for the client of one transaction."""

    acquire_connection: Any  # Tortoise's client, which each user of this mixin is, has it.

    async def _translate_exceptions(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._translate_exceptions(func, *args, **kwargs)  # type: ignore[misc]
        except DBConnectionError:
            raise
        except (asyncpg.QueryCanceledError, TimeoutError) as slow:
            raise StatementTooSlow(f"a statement was ended: {slow!r}") from slow
        except _LOST as lost:
            raise ConnectionLost(f"the database connection was lost: {lost!r}") from lost
        except Exception as refused:
            _leave_out_values(refused)
            raise

    async def fetch_rows(self, sql: str, values: Sequence[Any]) -> Sequence[Row]:
        note(sql)

        async def run(self: Any) -> Any:
            async with self._connection_for(sql) as connection:
                with running(sql) as statement:
                    found = await connection.fetch(sql, *values)
                    statement.rows = len(found)
                    return found

        rows: Sequence[Row] = await self._reading(sql, run)
        return rows

    async def run_statement(self, sql: str, values: Sequence[Any]) -> int:
        note(sql)

        async def run(self: Any) -> int:
            async with self.acquire_connection() as connection:
                with running(sql) as statement:
                    tag: str = await connection.execute(sql, *values)
                    last = tag.rsplit(" ", 1)[-1]
                    statement.rows = int(last) if last.isdigit() else 0
                    return statement.rows

        changed: int = await self._translate_exceptions(run)
        return changed

    async def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        note(sql)

        async def run(self: Any) -> None:
            # asyncpg runs an executemany outside a transaction as one implicit transaction.
            async with self.acquire_connection() as connection:
                with running(sql):
                    await connection.executemany(sql, rows)

        await self._translate_exceptions(run)

    def _connection_for(self, _sql: str) -> Any:
        return self.acquire_connection()

    async def _reading(self, sql: str, run: Any) -> Any:
        return await self._translate_exceptions(run)

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


class _BoundedConnection:
    """Takes a connection from the pool for one statement, waiting no longer than it may."""

    def __init__(self, client: PostgresClient, *, wait_s: float) -> None:
        self._client = client
        self._wait_s = wait_s
        self._connection: Any = None

    async def __aenter__(self) -> Any:
        self._connection = await self._client.take(wait_s=self._wait_s)
        return self._connection

    async def __aexit__(self, *exc: object) -> None:
        await self._client.give_back(self._connection)


class PostgresClient(_Statements, AsyncpgDBClient):
    """The pool's client. Waits for a connection are bounded; single SELECTs are retried once."""

    def __init__(
        self, *, read_wait_s: float = 0.25, write_wait_s: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.read_wait_s = read_wait_s
        self.write_wait_s = write_wait_s
        for ours in ("read_wait_s", "write_wait_s"):
            self.extra.pop(ours, None)

    async def take(self, *, wait_s: float) -> Any:
        """A connection of the pool; ConnectionsBusy after `wait_s` seconds."""
        return await self._translate_exceptions(type(self)._take, wait_s)

    async def _take(self, wait_s: float) -> Any:
        if self._pool is None:
            async with self._pool_init_lock:
                if self._pool is None:
                    await self.create_connection(with_db=True)
        assert self._pool is not None
        if self._pool.get_size() < self.pool_maxsize:
            wait_s = max(wait_s, _CONNECT_WITHIN_S)
        try:
            with waiting():
                return await self._pool.acquire(timeout=wait_s)
        except TimeoutError as busy:
            raise ConnectionsBusy(waited_s=wait_s) from busy

    async def give_back(self, connection: Any) -> None:
        """Hand a connection back to its pool, cancelled or not.

        One that is lost, or does not come to rest in time, is ended by the pool instead. That is no
        failure of what it was used for, which is done, or known to have failed.
        """
        if self._pool is not None:
            with contextlib.suppress(TimeoutError, *_LOST):
                await finish(self._pool.release(connection, timeout=_RESET_WITHIN_S))

    @override
    async def create_pool(self, **kwargs: Any) -> Any:
        return await super().create_pool(init=_read_plain_uuids, reset=_leave_as_it_is, **kwargs)

    @override
    def acquire_connection(self) -> Any:
        return _BoundedConnection(self, wait_s=self.write_wait_s)

    def _connection_for(self, sql: str) -> Any:
        wait_s = self.read_wait_s if _is_read(sql) else self.write_wait_s
        return _BoundedConnection(self, wait_s=wait_s)

    async def _reading(self, sql: str, run: Any) -> Any:
        if not _is_read(sql):
            return await self._translate_exceptions(run)
        try:
            return await self._translate_exceptions(run)
        except DBConnectionError:
            # The pool may hold connections from before a restart of the database.
            await asyncio.sleep(_RETRY_READ_AFTER_S)
            return await self._translate_exceptions(run)

    @override
    async def execute_many(self, query: str, values: list[Any]) -> None:
        async with self._in_transaction() as client:
            await client.execute_many(query, values)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(_PostgresTransaction(self), self._pool_init_lock)

    def connection_statistics(self) -> dict[str, int]:
        """How many connections the pool has open, and how many of them are idle."""
        if self._pool is None:
            return {"open": 0, "idle": 0}
        return {"open": self._pool.get_size(), "idle": self._pool.get_idle_size()}


class _PostgresTransaction(_Statements, TransactionWrapper):
    """The client of one transaction: every statement goes to the connection that it holds."""

    _failed_inside = False

    async def _translate_exceptions(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._translate_exceptions(func, *args, **kwargs)
        except Exception:
            self._failed_inside = True
            raise

    async def commit(self) -> None:
        if self._failed_inside:
            # A failed statement whose error was caught: PostgreSQL would answer COMMIT with
            # ROLLBACK, and no error. Any other statement tells, unless a savepoint mended it.
            await self._connection.execute("SELECT 1")
        await super().commit()

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_PostgresTransaction(self))


class _Transaction(TransactionContextPooled):
    async def __aenter__(self) -> TransactionalDBClient:
        client: Any = self.client
        parent: PostgresClient = client._parent
        client._connection = await parent.take(wait_s=parent.write_wait_s)
        try:
            with running("BEGIN"):
                await finish(client.begin())
        except BaseException:
            await finish(self._abandon())
            raise
        self.token = get_connections().set(self.connection_name, client)
        return self.client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        client: Any = self.client
        # First of all, or a failure below would leave later statements on a dead connection.
        get_connections().reset(self.token)
        try:
            if exc_type is None and not client._finalized:
                with running("COMMIT"):
                    await finish(client._translate_exceptions(type(client).commit))
        finally:
            await finish(self._abandon())

    async def _abandon(self) -> None:
        """Roll back what is not finalised and hand the connection back, whatever its state."""
        client: Any = self.client
        try:
            if client.transaction is not None and not client._finalized:
                await client.rollback()
        except Exception:
            # The transaction or its connection is gone already. Ending the connection makes sure
            # that nothing of it is left open in the database; the pool may have done so.
            with contextlib.suppress(asyncpg.InterfaceError):
                client._connection.terminate()
        finally:
            await client._parent.give_back(client._connection)


client_class = PostgresClient
