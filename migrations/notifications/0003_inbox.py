"""The inbox in pages, the texts that staff gives it, and what members want to be told how."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_LAST_MINUTE = 24 * 60 - 1


class Migration(migration.Migration):
    dependencies = [("notifications", "0002_came_with")]

    operations = [
        Statements(
            "CREATE INDEX notification_newest ON notification (member_id, created_at, id)",
            # One version of the text of a kind; never changed. Those that staff never touched have
            # the text that the programme came with.
            """
            CREATE TABLE notification_text (
                kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
                version INTEGER NOT NULL CHECK (version > 0),
                title_zh TEXT NOT NULL CHECK (length(title_zh) BETWEEN 1 AND 200),
                title_en TEXT NOT NULL CHECK (length(title_en) BETWEEN 1 AND 200),
                body_zh TEXT NOT NULL CHECK (length(body_zh) <= 2000),
                body_en TEXT NOT NULL CHECK (length(body_en) <= 2000),
                link TEXT CHECK (length(link) BETWEEN 1 AND 500),
                defined_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (kind, version)
            )
            """,
            # What a member said; where they said nothing the default of the group holds.
            """
            CREATE TABLE notification_preference (
                member_id UUID NOT NULL,
                kind_group TEXT NOT NULL CHECK (length(kind_group) BETWEEN 1 AND 32),
                channel TEXT NOT NULL CHECK (length(channel) BETWEEN 1 AND 32),
                wanted BOOLEAN NOT NULL,
                set_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, kind_group, channel)
            )
            """,
            # Minutes of the local day; without them the member said that no hour is quiet.
            f"""
            CREATE TABLE notification_quiet_hours (
                member_id UUID NOT NULL,
                channel TEXT NOT NULL CHECK (length(channel) BETWEEN 1 AND 32),
                from_minute SMALLINT CHECK (from_minute BETWEEN 0 AND {_LAST_MINUTE}),
                until_minute SMALLINT CHECK (until_minute BETWEEN 0 AND {_LAST_MINUTE}),
                time_zone TEXT CHECK (length(time_zone) BETWEEN 1 AND 64),
                set_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, channel),
                CHECK ((from_minute IS NULL) = (until_minute IS NULL)),
                CHECK (from_minute <> until_minute)
            )
            """,
        ),
    ]
