"""The audit log: rows that are only added, chained by their hashes, and the head of the chain."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements, append_only


class Migration(migration.Migration):
    dependencies = [("outbox", "0001_initial")]  # the function refuse_change
    operations = [
        Statements(
            """
            CREATE TABLE audit_entry (
                seq BIGINT NOT NULL PRIMARY KEY CHECK (seq > 0),
                at TIMESTAMPTZ NOT NULL,
                actor TEXT NOT NULL CHECK (length(actor) BETWEEN 1 AND 256),
                account_id UUID,
                action TEXT NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
                target_kind TEXT CHECK (length(target_kind) BETWEEN 1 AND 64),
                target_id TEXT,
                before TEXT,
                after TEXT,
                request_id TEXT NOT NULL CHECK (length(request_id) BETWEEN 1 AND 128),
                hash BYTEA NOT NULL CHECK (length(hash) = 32),
                CHECK ((target_kind IS NULL) = (target_id IS NULL))
            )
            """,
        ),
        append_only("audit_entry"),
        Statements(
            """
            CREATE TABLE audit_head (
                id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
                seq BIGINT NOT NULL CHECK (seq >= 0),
                hash BYTEA NOT NULL CHECK (length(hash) = 32)
            )
            """,
            postgres=["INSERT INTO audit_head VALUES (1, 0, decode(repeat('00', 32), 'hex'))"],
            sqlite=["INSERT INTO audit_head VALUES (1, 0, zeroblob(32))"],
        ),
    ]
