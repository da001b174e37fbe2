"""Exports of all that is held of a member, deletions that are under way, and who was erased."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    operations = [
        Statements(
            # The token is the secret of the link; it goes when the link was used or has expired.
            """
            CREATE TABLE data_export (
                member_id UUID NOT NULL,
                id UUID NOT NULL UNIQUE,
                status TEXT NOT NULL
                    CHECK (status IN ('QUEUED', 'RUNNING', 'READY', 'FAILED', 'EXPIRED')),
                requested_at TIMESTAMPTZ NOT NULL,
                started_at TIMESTAMPTZ,
                tries INTEGER NOT NULL CHECK (tries >= 0),
                rows_done BIGINT NOT NULL CHECK (rows_done >= 0),
                rows_all BIGINT NOT NULL CHECK (rows_all >= 0),
                finished_at TIMESTAMPTZ,
                expires_at TIMESTAMPTZ,
                token TEXT CHECK (length(token) = 43),
                downloaded_at TIMESTAMPTZ,
                PRIMARY KEY (member_id, id),
                CONSTRAINT data_export_ready CHECK (
                    (status IN ('READY', 'EXPIRED')) = (expires_at IS NOT NULL)
                ),
                CONSTRAINT data_export_token CHECK (token IS NULL OR status = 'READY')
            )
            """,
            # A member has one under way, whoever asks at the same time.
            "CREATE UNIQUE INDEX data_export_under_way ON data_export (member_id) "
            "WHERE status IN ('QUEUED', 'RUNNING')",
            # Workers look for what waits, and for links that have ended.
            "CREATE INDEX data_export_waiting ON data_export (requested_at) "
            "WHERE status IN ('QUEUED', 'RUNNING')",
            "CREATE INDEX data_export_ending ON data_export (expires_at) WHERE status = 'READY'",
            """
            CREATE TABLE account_deletion (
                member_id UUID NOT NULL PRIMARY KEY,
                asked_by TEXT NOT NULL CHECK (asked_by IN ('member', 'wechat')),
                reason TEXT CHECK (length(reason) BETWEEN 1 AND 500),
                requested_at TIMESTAMPTZ NOT NULL,
                deletes_at TIMESTAMPTZ NOT NULL,
                CHECK (deletes_at >= requested_at)
            )
            """,
            "CREATE INDEX account_deletion_due ON account_deletion (deletes_at)",
            # Random ids that lead to nobody any more, so that a reader of the journal knows why.
            """
            CREATE TABLE erasure (
                member_id UUID NOT NULL PRIMARY KEY,
                erased_at TIMESTAMPTZ NOT NULL,
                again_at TIMESTAMPTZ
            )
            """,
            "CREATE INDEX erasure_again ON erasure (again_at) WHERE again_at IS NOT NULL",
        ),
    ]
