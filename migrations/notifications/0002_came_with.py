"""A row that came with another record of the same person says with which merge."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("notifications", "0001_initial")]

    operations = [Statements("ALTER TABLE notification ADD COLUMN came_with UUID")]
