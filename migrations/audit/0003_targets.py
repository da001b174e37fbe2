"""What was done to one thing is found without reading the whole log."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("audit", "0002_guarded_head")]

    operations = [
        Statements("CREATE INDEX audit_entry_target ON audit_entry (target_kind, target_id, seq)"),
    ]
