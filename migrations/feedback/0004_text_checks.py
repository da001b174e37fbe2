"""Texts that WeChat is asked about, and what staff decided of those that are held."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("feedback", "0003_attachments")]

    operations = [
        Statements(
            # One text, which gets one verdict. While it is claimed `next_at` is the end of the
            # lease; of a long text `pieces_done` were asked about, and `found` is the worst so far.
            """
            CREATE TABLE text_check (
                member_id UUID NOT NULL,
                message_id UUID NOT NULL,
                queued_at TIMESTAMPTZ NOT NULL,
                next_at TIMESTAMPTZ,
                lease UUID,
                attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
                pieces_done SMALLINT NOT NULL DEFAULT 0 CHECK (pieces_done >= 0),
                found TEXT NOT NULL CHECK (found IN ('CLEAR', 'REVIEW')),
                verdict TEXT
                    CHECK (verdict IN ('CLEAR', 'REVIEW', 'RISKY', 'NOT_CHECKED')),
                label INTEGER,
                trace_id TEXT CHECK (length(trace_id) BETWEEN 1 AND 128),
                checked_at TIMESTAMPTZ,
                decision TEXT CHECK (decision IN ('RELEASE', 'REFUSE')),
                decided_by UUID,
                decided_at TIMESTAMPTZ,
                came_with UUID,
                PRIMARY KEY (member_id, message_id),
                CONSTRAINT text_check_waits CHECK (
                    (next_at IS NULL) = (verdict IS NOT NULL OR decision IS NOT NULL)),
                CONSTRAINT text_check_verdict CHECK ((verdict IS NULL) = (checked_at IS NULL)),
                CONSTRAINT text_check_decision CHECK ((decision IS NULL) = (decided_at IS NULL))
            )
            """,
            "CREATE UNIQUE INDEX text_check_message ON text_check (message_id)",
            "CREATE INDEX text_check_due ON text_check (next_at, message_id) "
            "WHERE next_at IS NOT NULL",
            # What staff are shown of what is held: also what waits for a check that is away.
            "CREATE INDEX ticket_message_unseen ON ticket_message (id) "
            "WHERE text_check IN ('WAITING', 'REVIEW', 'RISKY')",
        ),
    ]
