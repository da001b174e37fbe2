"""Events in streams: numbered 1, 2, 3 ... per member, in the order of their commits."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_PROGRAMME = "'00000000-0000-0000-0000-000000000000'"


class Migration(migration.Migration):
    dependencies = [("outbox", "0001_initial")]

    operations = [
        Statements(
            """
            CREATE TABLE outbox_stream (
                member_id UUID NOT NULL PRIMARY KEY,
                last_seq BIGINT NOT NULL,
                delivered_seq BIGINT NOT NULL DEFAULT 0,
                attempts INTEGER NOT NULL DEFAULT 0,
                lease UUID,
                due_at TIMESTAMPTZ NOT NULL,
                CHECK (delivered_seq BETWEEN 0 AND last_seq),
                CHECK (attempts >= 0)
            )
            """,
            "CREATE INDEX outbox_stream_due ON outbox_stream (due_at) "
            "WHERE delivered_seq < last_seq",
            "DROP INDEX outbox_undelivered",
            "DROP INDEX outbox_member",
            "ALTER TABLE outbox RENAME TO outbox_unnumbered",
            """
            CREATE TABLE outbox (
                member_id UUID NOT NULL,
                seq BIGINT NOT NULL,
                kind TEXT NOT NULL,
                payload JSONB NOT NULL,
                announced_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, seq),
                CHECK (seq >= 1)
            )
            """,
            f"""
            INSERT INTO outbox (member_id, seq, kind, payload, announced_at)
            SELECT COALESCE(member_id, {_PROGRAMME}),
                   ROW_NUMBER() OVER (PARTITION BY member_id ORDER BY id),
                   kind, payload, announced_at
            FROM outbox_unnumbered
            """,
            """
            INSERT INTO outbox_stream (member_id, last_seq, due_at)
            SELECT member_id, MAX(seq), MAX(announced_at) FROM outbox GROUP BY member_id
            """,
            "DROP TABLE outbox_unnumbered",
            "CREATE INDEX outbox_age ON outbox (announced_at)",
        ),
    ]
