"""Phone numbers: sealed, found by a blind index; and the codes that prove them."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_KINDS = "'wechat_openid', 'wechat_unionid', 'external', 'phone', 'alipay', 'shop_card'"


class Migration(migration.Migration):
    dependencies = [("members", "0001_initial")]

    operations = [
        Statements(
            postgres=[
                f"""
                ALTER TABLE member_identity DROP CONSTRAINT member_identity_kind_check,
                    ADD CONSTRAINT member_identity_kind_check CHECK (kind IN ({_KINDS}))
                """
            ],
            # SQLite changes no CHECK: the table is made anew.
            sqlite=[
                "ALTER TABLE member_identity RENAME TO member_identity_of_three_kinds",
                f"""
                CREATE TABLE member_identity (
                    member_id UUID NOT NULL REFERENCES member (id),
                    id UUID NOT NULL,
                    kind TEXT NOT NULL CHECK (kind IN ({_KINDS})),
                    app_id TEXT NOT NULL CHECK (length(app_id) <= 64),
                    subject TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 128),
                    bound_at TIMESTAMPTZ NOT NULL,
                    PRIMARY KEY (member_id, id),
                    UNIQUE (kind, subject, app_id)
                )
                """,
                """
                INSERT INTO member_identity (member_id, id, kind, app_id, subject, bound_at)
                SELECT member_id, id, kind, app_id, subject, bound_at
                FROM member_identity_of_three_kinds
                """,
                "DROP TABLE member_identity_of_three_kinds",
            ],
        ),
        Statements(
            # The id is that of the identity whose number it is.
            """
            CREATE TABLE member_phone (
                member_id UUID NOT NULL REFERENCES member (id),
                id UUID NOT NULL,
                sealed BYTEA NOT NULL CHECK (length(sealed) BETWEEN 29 AND 64),
                key_id TEXT NOT NULL CHECK (length(key_id) = 8),
                bound_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, id)
            )
            """,
            "CREATE INDEX member_phone_key ON member_phone (key_id, id)",
            """
            CREATE TABLE sign_in_code (
                phone_index TEXT NOT NULL PRIMARY KEY CHECK (length(phone_index) = 64),
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
            "CREATE INDEX sign_in_code_expiry ON sign_in_code (expires_at)",
        ),
    ]
