"""Applying the migrations of all contexts: one lock, one transaction, all or nothing."""

from __future__ import annotations

from functools import cache

from tortoise import Tortoise
from tortoise.exceptions import OperationalError
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationExecutor
from tortoise.transactions import in_transaction

from domain.storage import database
from domain.storage.contexts import migration_apps

_LOCK = 7_421_900_142
"""The advisory lock that serialises migrations: an arbitrary number, the same in every process."""


async def migrate() -> list[str]:
    """Apply what is missing; returns the names `context.migration` of what was applied.

    Several processes may call it at once: one applies, the others wait and find nothing to do.
    """
    applied: list[str] = []

    def progress(event: str, context: str, name: str) -> None:
        if event == "apply_done":
            applied.append(f"{context}.{name}")

    async with in_transaction("default") as client:
        if database.dialect() == "postgres":
            # DDL on many partitions outlasts the limits that serve requests.
            await database.execute("SET LOCAL statement_timeout = 0")
            await database.execute("SET LOCAL lock_timeout = 0")
            await database.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        executor = MigrationExecutor(client, migration_apps())
        # Before anything else: reading a table that is missing would abort the transaction.
        await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))
        await executor.migrate(direction="forward", progress=progress)
    return applied


async def pending_migrations() -> list[str]:
    """The names `context.migration` that the connected database still lacks.

    One statement, cheap enough for a probe. Raises StorageFault where the database is away.
    """
    try:
        rows = await database.fetch_all("SELECT app, name FROM tortoise_migrations")
    except OperationalError:
        rows = ()  # Nothing was ever applied: there is no such table yet.
    applied = {f"{row['app']}.{row['name']}" for row in rows}
    return [name for name in _written_migrations() if name not in applied]


@cache
def _written_migrations() -> tuple[str, ...]:
    """The names of all migrations of this code; found once, for it takes 9 ms to look."""
    loader = MigrationExecutor(database.client(), migration_apps()).loader  # type: ignore[arg-type]
    loader.load_disk()
    return tuple(f"{key.app_label}.{key.name}" for key in loader.disk_migrations)


async def drift() -> list[str]:
    """What the models say and the migrations do not, in words; empty when they agree.

    Needs models that are initialised (`database.connect`), but asks the database nothing.
    """
    assert Tortoise.apps is not None
    changes = await MigrationAutodetector(Tortoise.apps, migration_apps()).changes()
    return [operation.describe() for change in changes for operation in change.operations]
