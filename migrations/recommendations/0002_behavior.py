"""What members looked at, of those who agreed to be watched."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("recommendations", "0001_initial")]

    operations = [
        Statements(
            """
            CREATE TABLE behavior_event (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 32),
                product_code TEXT CHECK (length(product_code) BETWEEN 1 AND 64),
                theme_code TEXT CHECK (length(theme_code) BETWEEN 1 AND 64),
                at TIMESTAMPTZ NOT NULL,
                recorded_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, id)
            )
            """,
            "CREATE INDEX behavior_event_at ON behavior_event (member_id, at)",
        ),
    ]
