"""Files that members and staff send with their messages, and those that are to be deleted."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("feedback", "0001_tickets")]

    operations = [
        Statements(
            # `uploaded_by` is the account of staff who sent the file for an answer in `for_ticket`,
            # NULL where it was the member. It belongs to nothing yet while `ticket_id` is NULL.
            """
            CREATE TABLE attachment (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
                media_type TEXT NOT NULL
                    CHECK (media_type IN ('image/jpeg', 'image/png', 'image/webp')),
                bytes INTEGER NOT NULL CHECK (bytes > 0),
                width INTEGER NOT NULL CHECK (width > 0),
                height INTEGER NOT NULL CHECK (height > 0),
                sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
                uploaded_by UUID,
                for_ticket UUID,
                uploaded_at TIMESTAMPTZ NOT NULL,
                ticket_id UUID,
                message_id UUID,
                place SMALLINT CHECK (place >= 0),
                came_with UUID,
                PRIMARY KEY (member_id, id),
                CONSTRAINT attachment_of_staff
                    CHECK ((for_ticket IS NULL) = (uploaded_by IS NULL)),
                CONSTRAINT attachment_of_message CHECK (
                    (ticket_id IS NULL) = (message_id IS NULL)
                    AND (message_id IS NULL) = (place IS NULL))
            )
            """,
            "CREATE UNIQUE INDEX attachment_id ON attachment (id)",
            "CREATE INDEX attachment_of_message_in_order ON attachment (message_id, place) "
            "WHERE message_id IS NOT NULL",
            "CREATE INDEX attachment_waiting ON attachment (uploaded_at, id) "
            "WHERE message_id IS NULL",
            # Names in the store that nobody needs, or that are being written: each is here before
            # its bytes are anywhere, so what a process that died left behind is deleted, too.
            """
            CREATE TABLE attachment_leftover (
                name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
                delete_at TIMESTAMPTZ NOT NULL
            )
            """,
            "CREATE INDEX attachment_leftover_due ON attachment_leftover (delete_at, name)",
        ),
    ]
