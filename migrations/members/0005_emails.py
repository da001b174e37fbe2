"""E-mail addresses: sealed, one for each record; and the codes that prove them."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("members", "0004_merges")]

    operations = [
        Statements(
            # Without an address the member said that there is none any more.
            """
            CREATE TABLE member_email (
                member_id UUID NOT NULL REFERENCES member (id),
                sealed BYTEA CHECK (length(sealed) BETWEEN 29 AND 512),
                set_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id)
            )
            """,
            """
            CREATE TABLE email_code (
                email_index TEXT NOT NULL PRIMARY KEY CHECK (length(email_index) = 64),
                key_id TEXT NOT NULL CHECK (length(key_id) = 8),
                salt TEXT NOT NULL CHECK (length(salt) = 32),
                digest TEXT CHECK (length(digest) = 64),
                sent_at TIMESTAMPTZ NOT NULL,
                expires_at TIMESTAMPTZ NOT NULL,
                tries_left INTEGER NOT NULL CHECK (tries_left BETWEEN 0 AND 5),
                window_from TIMESTAMPTZ NOT NULL,
                sent_in_window INTEGER NOT NULL CHECK (sent_in_window BETWEEN 1 AND 10)
            )
            """,
            "CREATE INDEX email_code_expiry ON email_code (expires_at)",
            # How many codes somebody had sent, to whatever addresses: a digest tells nobody who.
            """
            CREATE TABLE email_code_asker (
                asker_index TEXT NOT NULL PRIMARY KEY CHECK (length(asker_index) = 64),
                window_from TIMESTAMPTZ NOT NULL,
                sent_in_window INTEGER NOT NULL CHECK (sent_in_window BETWEEN 0 AND 10)
            )
            """,
            "CREATE INDEX email_code_asker_window ON email_code_asker (window_from)",
        ),
    ]
