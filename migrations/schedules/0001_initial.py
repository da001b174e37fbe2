"""When each recurring job was last begun, so that of many workers one begins it."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    operations = [
        Statements(
            """
            CREATE TABLE schedule_slot (
                job TEXT NOT NULL PRIMARY KEY,
                slot_at TIMESTAMPTZ NOT NULL,
                tries INTEGER NOT NULL,
                claimed_at TIMESTAMPTZ NOT NULL,
                finished_at TIMESTAMPTZ,
                CHECK (tries >= 1)
            )
            """
        ),
    ]
