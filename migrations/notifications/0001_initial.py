"""The in-app inbox."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    operations = [
        Statements(
            """
            CREATE TABLE notification (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
                facts JSONB NOT NULL,
                created_at TIMESTAMPTZ NOT NULL,
                read_at TIMESTAMPTZ,
                PRIMARY KEY (member_id, id)
            )
            """,
            "CREATE INDEX notification_unread ON notification (member_id) WHERE read_at IS NULL",
        ),
    ]
