"""Keys of external writes with a digest per input field and the stored answer, kept for ever."""

from tortoise.migrations import migration

from domain.storage.migration_operations import PartitionedTable


class Migration(migration.Migration):
    operations = [
        PartitionedTable(
            "idempotency",
            by="key",
            columns="""
                scope TEXT NOT NULL,
                key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
                digests JSONB NOT NULL,
                result JSONB NOT NULL,
                recorded_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (scope, key)
            """,
        ),
    ]
