"""Very many members may be due at one instant: their index keeps the order of a walk over them."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("tiers", "0006_definitions")]

    operations = [
        Statements(
            # By the moment alone, each page of those who are due at it reads all of them again.
            "DROP INDEX member_level_due",
            "CREATE INDEX member_level_due ON member_level (next_review_at, member_id)",
        ),
    ]
