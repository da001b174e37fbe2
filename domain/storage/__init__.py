"""Storage: one database behind our own engines, transactions, migrations, batches of rows.

PostgreSQL in production, SQLite embedded: the same statements on both. A use case opens one
`transaction`, reads and writes through Tortoise models or plain statements, and is retried when it
lost a race.
"""

from domain.storage.database import (
    UNHURRIED,
    PoolSettings,
    close,
    connect,
    connection_statistics,
    database_now,
    dialect,
    execute,
    execute_many,
    fetch_all,
    fetch_one,
    moment_of,
    synchronise_clock,
)
from domain.storage.engines.observing import Statement, StorageListener, listen
from domain.storage.engines.statements import Row, observed_statements
from domain.storage.faults import (
    ConnectionLost,
    ConnectionsBusy,
    StatementTooSlow,
    StorageFault,
    TransactionContended,
)
from domain.storage.member_tables import Blank, Erasing, MemberTable, MemberTables, Merging
from domain.storage.migrations import drift, migrate, pending_migrations
from domain.storage.snapshots import snapshot
from domain.storage.tables import Table, Write, write_together
from domain.storage.transactions import (
    UntilCommit,
    inside_transaction,
    is_unique_violation,
    transaction,
    until_commit,
)

__all__ = [
    "UNHURRIED",
    "Blank",
    "ConnectionLost",
    "ConnectionsBusy",
    "Erasing",
    "MemberTable",
    "MemberTables",
    "Merging",
    "PoolSettings",
    "Row",
    "Statement",
    "StatementTooSlow",
    "StorageFault",
    "StorageListener",
    "Table",
    "TransactionContended",
    "UntilCommit",
    "Write",
    "close",
    "connect",
    "connection_statistics",
    "database_now",
    "dialect",
    "drift",
    "execute",
    "execute_many",
    "fetch_all",
    "fetch_one",
    "inside_transaction",
    "is_unique_violation",
    "listen",
    "migrate",
    "moment_of",
    "observed_statements",
    "pending_migrations",
    "snapshot",
    "synchronise_clock",
    "transaction",
    "until_commit",
    "write_together",
]
