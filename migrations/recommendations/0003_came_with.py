"""What came with another record of the same person says with which merge."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("recommendations", "0002_behavior")]

    operations = [Statements("ALTER TABLE behavior_event ADD COLUMN came_with UUID")]
