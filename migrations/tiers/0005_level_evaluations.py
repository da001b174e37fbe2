"""Where a walk over the levels of all members stands: one that is cut off is gone on with."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("tiers", "0004_perk_uses")]

    operations = [
        Statements(
            # `definitions` is the digest of the levels and rules that the walk is for: it begins
            # anew where they are others by now.
            """
            CREATE TABLE level_evaluation (
                walk TEXT NOT NULL PRIMARY KEY CHECK (length(walk) BETWEEN 1 AND 64),
                slot_at TIMESTAMPTZ NOT NULL,
                definitions TEXT NOT NULL CHECK (length(definitions) = 64),
                after_member UUID,
                members BIGINT NOT NULL CHECK (members >= 0),
                changed BIGINT NOT NULL CHECK (changed BETWEEN 0 AND members),
                started_at TIMESTAMPTZ NOT NULL,
                finished_at TIMESTAMPTZ CHECK (finished_at >= started_at)
            )
            """,
        ),
    ]
