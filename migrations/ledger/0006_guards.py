"""Snapshots are never changed; two indexes that no statement uses go."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements, append_only


class Migration(migration.Migration):
    dependencies = [
        ("ledger", "0005_adjustments_and_audits"),
        ("outbox", "0001_initial"),  # the function refuse_change
    ]

    operations = [
        append_only("points_snapshot"),
        # The sweeper finds what is due by its accounts (points_account_due).
        Statements("DROP INDEX points_lot_expiry", "DROP INDEX points_hold_expiry"),
    ]
