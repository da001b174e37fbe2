"""The programme is changed by staff: it stands at a version."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("program", "0001_initial")]

    operations = [
        Statements(
            "ALTER TABLE program ADD COLUMN version BIGINT NOT NULL DEFAULT 1 CHECK (version > 0)",
        ),
    ]
