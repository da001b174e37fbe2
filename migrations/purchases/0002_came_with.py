"""An order that came with another record of the same person says with which merge."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("purchases", "0001_initial")]

    operations = [
        Statements(
            "ALTER TABLE purchase ADD COLUMN came_with UUID",
            "ALTER TABLE purchase_line ADD COLUMN came_with UUID",
        )
    ]
