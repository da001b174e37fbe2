"""Delivery: events that were parked, and what consumers have consumed."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("outbox", "0002_streams")]

    operations = [
        Statements(
            """
            CREATE TABLE outbox_parked (
                member_id UUID NOT NULL,
                seq BIGINT NOT NULL,
                consumer TEXT NOT NULL,
                kind TEXT NOT NULL,
                payload JSONB NOT NULL,
                announced_at TIMESTAMPTZ NOT NULL,
                error TEXT NOT NULL,
                detail TEXT NOT NULL,
                attempts INTEGER NOT NULL,
                parked_at TIMESTAMPTZ NOT NULL,
                replay_at TIMESTAMPTZ,
                PRIMARY KEY (member_id, seq, consumer),
                CHECK (seq >= 1),
                CHECK (attempts >= 1),
                CHECK (length(detail) <= 200)
            )
            """,
            "CREATE INDEX outbox_parked_replay ON outbox_parked (replay_at) "
            "WHERE replay_at IS NOT NULL",
            """
            CREATE TABLE outbox_consumed (
                member_id UUID NOT NULL,
                seq BIGINT NOT NULL,
                consumer TEXT NOT NULL,
                PRIMARY KEY (member_id, seq, consumer)
            )
            """,
        ),
    ]
