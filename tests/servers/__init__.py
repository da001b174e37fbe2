"""The servers that tests run against: PostgreSQL and Redis, found or brought, and fresh databases.

Each comes from the first source that the machine offers; where none does, the tests that need it
are skipped and the closing report says so, or fail when every part is required (CI).
"""

from tests.servers.databases import PostgresDatabases, SqliteDatabases
from tests.servers.guarded import CouldNotStart
from tests.servers.postgres import (
    Binaries,
    ExternalPostgres,
    OwnPostgres,
    Postgres,
    find_binaries,
    open_postgres,
)
from tests.servers.redis_server import ExternalRedis, FakeRedis, OwnRedis, Redis, open_redis

__all__ = [
    "Binaries",
    "CouldNotStart",
    "ExternalPostgres",
    "ExternalRedis",
    "FakeRedis",
    "OwnPostgres",
    "OwnRedis",
    "Postgres",
    "PostgresDatabases",
    "Redis",
    "SqliteDatabases",
    "find_binaries",
    "open_postgres",
    "open_redis",
]
