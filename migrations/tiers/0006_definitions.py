"""Levels and perks are changed by staff: each stands at a version, and a perk may be retired."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("tiers", "0005_level_evaluations")]

    operations = [
        Statements(
            "ALTER TABLE level ADD COLUMN version BIGINT NOT NULL DEFAULT 1 CHECK (version > 0)",
            "ALTER TABLE perk ADD COLUMN version BIGINT NOT NULL DEFAULT 1 CHECK (version > 0)",
            "ALTER TABLE perk ADD COLUMN retired_at TIMESTAMPTZ",
        ),
    ]
