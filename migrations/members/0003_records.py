"""What is kept of a member: consents and their texts, notes, contacts, the timeline."""

from tortoise.migrations import migration

from domain.storage.migration_operations import PartitionedTable, Statements


class Migration(migration.Migration):
    dependencies = [("members", "0002_phones")]

    operations = [
        Statements(
            # One version of what members are asked to agree to; never changed.
            """
            CREATE TABLE consent_text (
                purpose TEXT NOT NULL CHECK (length(purpose) BETWEEN 1 AND 64),
                version TEXT NOT NULL CHECK (length(version) BETWEEN 1 AND 32),
                title_zh TEXT NOT NULL CHECK (length(title_zh) BETWEEN 1 AND 128),
                title_en TEXT NOT NULL CHECK (length(title_en) BETWEEN 1 AND 128),
                body_zh TEXT NOT NULL CHECK (length(body_zh) BETWEEN 1 AND 20000),
                body_en TEXT NOT NULL CHECK (length(body_en) BETWEEN 1 AND 20000),
                is_current BOOLEAN NOT NULL,
                published_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (purpose, version)
            )
            """,
            "CREATE UNIQUE INDEX consent_text_current ON consent_text (purpose) WHERE is_current",
            # A row for each change of mind; the newest of a purpose counts.
            """
            CREATE TABLE member_consent (
                member_id UUID NOT NULL REFERENCES member (id),
                id UUID NOT NULL,
                purpose TEXT NOT NULL CHECK (length(purpose) BETWEEN 1 AND 64),
                granted BOOLEAN NOT NULL,
                version TEXT NOT NULL CHECK (length(version) BETWEEN 1 AND 32),
                at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, id)
            )
            """,
            "CREATE INDEX member_consent_newest ON member_consent (member_id, purpose, at, id)",
            """
            CREATE TABLE member_note (
                member_id UUID NOT NULL REFERENCES member (id),
                id UUID NOT NULL,
                text TEXT NOT NULL CHECK (length(text) BETWEEN 1 AND 2000),
                written_by UUID NOT NULL,
                author TEXT NOT NULL CHECK (length(author) BETWEEN 1 AND 256),
                at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, id)
            )
            """,
            "CREATE INDEX member_note_newest ON member_note (member_id, at, id)",
            """
            CREATE TABLE service_contact (
                member_id UUID NOT NULL REFERENCES member (id),
                id UUID NOT NULL,
                position INTEGER NOT NULL CHECK (position >= 0),
                role TEXT NOT NULL CHECK (length(role) BETWEEN 1 AND 64),
                name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
                channel TEXT NOT NULL CHECK (length(channel) BETWEEN 1 AND 32),
                set_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, id)
            )
            """,
        ),
        # What happened in a member's life, as the events of every context told it.
        PartitionedTable(
            "timeline_item",
            by="member_id",
            columns="""
                member_id UUID NOT NULL,
                occurred_at TIMESTAMPTZ NOT NULL,
                id UUID NOT NULL,
                kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
                channel TEXT CHECK (length(channel) <= 64),
                facts JSONB NOT NULL,
                for_staff BOOLEAN NOT NULL,
                PRIMARY KEY (member_id, occurred_at, id)
            """,
        ),
    ]
