"""Partner platforms with their caps and networks, their keys, and assertions that were used."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    operations = [
        Statements(
            # What a partner may do and whether it is enabled stands with its account.
            """
            CREATE TABLE partner (
                account_id UUID NOT NULL PRIMARY KEY,
                code TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
                name_zh TEXT NOT NULL CHECK (length(name_zh) BETWEEN 1 AND 100),
                name_en TEXT NOT NULL CHECK (length(name_en) BETWEEN 1 AND 100),
                sandbox BOOLEAN NOT NULL,
                points_per_day BIGINT NOT NULL
                    CHECK (points_per_day BETWEEN 0 AND 9007199254740991),
                points_per_member_day BIGINT NOT NULL
                    CHECK (points_per_member_day BETWEEN 0 AND 9007199254740991),
                networks TEXT NOT NULL,
                webhook_url TEXT CHECK (length(webhook_url) BETWEEN 1 AND 2048),
                created_at TIMESTAMPTZ NOT NULL,
                changed_at TIMESTAMPTZ NOT NULL,
                version INTEGER NOT NULL CHECK (version > 0)
            )
            """,
            # A public key as it is, a shared secret sealed, a client secret as its hash.
            """
            CREATE TABLE partner_key (
                id UUID NOT NULL PRIMARY KEY,
                account_id UUID NOT NULL REFERENCES partner (account_id),
                kind TEXT NOT NULL CHECK (kind IN ('ED25519', 'HMAC', 'JWT', 'CLIENT_SECRET')),
                material BYTEA NOT NULL CHECK (length(material) BETWEEN 32 AND 128),
                added_at TIMESTAMPTZ NOT NULL,
                retires_at TIMESTAMPTZ
            )
            """,
            "CREATE INDEX partner_key_of ON partner_key (account_id, kind)",
            # Kept until the assertion would have expired anyway.
            """
            CREATE TABLE partner_assertion (
                account_id UUID NOT NULL,
                digest BYTEA NOT NULL CHECK (length(digest) = 32),
                expires_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (account_id, digest)
            )
            """,
        ),
    ]
