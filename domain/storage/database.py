"""The database of this process: connecting, closing, plain statements, and its clock.

One database is connected at a time. `sqlite://var/jifen.db`, `sqlite://:memory:` and
`postgres://user:password@host:port/database` are understood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from tortoise import Tortoise
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connections

from domain.clock import Clock
from domain.storage.contexts import model_apps
from domain.storage.engines.statements import Row, StatementClient


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """How many connections a process may hold, and how long one may be used or waited for."""

    size_min: int = 1
    size_max: int = 10
    read_wait_s: float = 0.25
    write_wait_s: float = 1.0
    statement_timeout_ms: int = 2_000
    lock_timeout_ms: int = 1_000
    idle_in_transaction_timeout_ms: int = 5_000
    retry_within_s: float = 2.0
    """A transaction that lost a lock is begun again no later than this after its first begin."""

    plan_lifetime_s: int = 300
    """How long a plan is used before it is made anew: a bulk load outgrows its first plans."""

    @property
    def command_timeout_s(self) -> float | None:
        """When a statement is given up from this side: a server that hangs ends none itself."""
        if not self.statement_timeout_ms:
            return None
        return self.statement_timeout_ms / 1_000 + _SERVER_ENDS_FIRST_BY_S


_SERVER_ENDS_FIRST_BY_S = 0.5
_pool_in_force = PoolSettings()


UNHURRIED = PoolSettings(
    size_max=4,
    read_wait_s=5.0,
    write_wait_s=5.0,
    statement_timeout_ms=0,
    lock_timeout_ms=10_000,
    retry_within_s=60.0,
)
"""For commands and jobs, which nobody waits for: statements may take as long as they need."""


def _engine_config(url: str, pool: PoolSettings) -> dict[str, Any]:
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        path = url.removeprefix("sqlite://")
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            # Only the owner may read it: it holds members' identities.
            Path(path).touch(mode=0o600, exist_ok=True)
        return {
            "engine": "domain.storage.engines.sqlite_engine",
            "credentials": {
                "file_path": path,
                # There is one writer: to wait for it is to wait for the database's only lock,
                # whether this process holds it or another one does.
                "wait_s": pool.lock_timeout_ms * 3 / 1_000,
                "busy_timeout": pool.lock_timeout_ms,
                # Or REPLACE would delete rows of a journal without asking its trigger.
                "recursive_triggers": "ON",
                "synchronous": "FULL",
                # What is deleted is overwritten: an erased person is in no page of the file.
                "secure_delete": "ON",
            },
        }
    if scheme in {"postgres", "postgresql", "asyncpg"}:
        config = expand_db_url("asyncpg://" + url.split("://", 1)[1])
        credentials = cast(dict[str, Any], config["credentials"])
        credentials |= {
            "minsize": pool.size_min,
            "maxsize": pool.size_max,
            "read_wait_s": pool.read_wait_s,
            "write_wait_s": pool.write_wait_s,
            "command_timeout": pool.command_timeout_s,
            "max_cached_statement_lifetime": pool.plan_lifetime_s,
            "server_settings": {
                "application_name": "jifen",
                "timezone": "UTC",
                "statement_timeout": str(pool.statement_timeout_ms),
                "lock_timeout": str(pool.lock_timeout_ms),
                "idle_in_transaction_session_timeout": str(pool.idle_in_transaction_timeout_ms),
                # Small, indexed statements gain nothing from compilation, and pay for it.
                "jit": "off",
            },
        }
        return {"engine": "domain.storage.engines.asyncpg_engine", "credentials": credentials}
    raise ValueError(f"DATABASE_URL must begin with sqlite:// or postgres://, not {scheme!r}")


async def connect(url: str, *, pool: PoolSettings | None = None) -> None:
    """Connect this process to the database at `url` and prove it with one statement."""
    global _pool_in_force  # noqa: PLW0603 - there is one database per process
    _pool_in_force = pool or PoolSettings()
    # Tortoise keeps the models' statements by the connection's name, whatever database it names.
    EXECUTOR_CACHE.clear()
    await Tortoise.init(
        config={
            "connections": {"default": _engine_config(url, _pool_in_force)},
            "apps": model_apps(),
        },
        use_tz=True,
        timezone="UTC",
        _enable_global_fallback=True,
    )
    await fetch_one("SELECT 1 AS one")


async def close() -> None:
    """Close every connection; safe to call twice."""
    await Tortoise.close_connections()


def client() -> StatementClient:
    """The client in force here: the transaction's inside one, the pool's outside."""
    return cast(StatementClient, get_connections().get("default"))


def pool_in_force() -> PoolSettings:
    """What `connect` was told."""
    return _pool_in_force


def dialect() -> str:
    """`postgres` or `sqlite`."""
    return str(get_connections().get("default").capabilities.dialect)


def connection_statistics() -> dict[str, int]:
    """`open` and `idle` connections of this process."""
    connection: Any = get_connections().get("default")
    return dict(connection.connection_statistics())


async def fetch_all(sql: str, *values: Any) -> Sequence[Row]:
    """All rows of a statement with `$1`-style placeholders."""
    return await client().fetch_rows(sql, values)


async def fetch_one(sql: str, *values: Any) -> Row | None:
    """The first row of a statement, or None."""
    rows = await client().fetch_rows(sql, values)
    return rows[0] if rows else None


def moment_of(computed: Any) -> datetime:
    """A moment that a statement computed: SQLite knows no type of it, and gives what it stores."""
    return computed if isinstance(computed, datetime) else datetime.fromisoformat(computed)


async def execute(sql: str, *values: Any) -> int:
    """Run a statement; returns how many rows it changed."""
    return await client().run_statement(sql, values)


async def execute_many(sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run a statement once for each row of values, all or none."""
    await client().run_many(sql, rows)


async def database_now() -> datetime:
    """The database's own time, aware UTC, microseconds (milliseconds on SQLite)."""
    if dialect() == "postgres":
        row = await fetch_one("SELECT clock_timestamp() AS now")
    else:
        row = await fetch_one("SELECT strftime('%Y-%m-%d %H:%M:%f+00:00', 'now') AS now")
    assert row is not None
    return moment_of(row["now"])


async def synchronise_clock(clock: Clock) -> None:
    """Measure the database's clock against the local one and correct `clock` by the difference."""
    clock.correct(database_now=await database_now())
