"""A note stands in the journals of both sides of a transfer: who erases one finds the other."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("ledger", "0006_guards")]

    operations = [
        # Few entries have a note, so this index is small and most postings do not touch it.
        Statements(
            "CREATE INDEX points_entry_text_note ON points_entry_text (reference) "
            "WHERE note IS NOT NULL"
        ),
    ]
