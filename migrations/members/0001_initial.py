"""Members, the identities that lead to them, their interests, and their sign-in sessions."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    operations = [
        Statements(
            """
            CREATE TABLE member (
                id UUID NOT NULL PRIMARY KEY,
                nickname TEXT NOT NULL CHECK (length(nickname) <= 64),
                avatar_url TEXT CHECK (length(avatar_url) <= 2048),
                birthday DATE,
                gender TEXT CHECK (gender IN ('female', 'male', 'other')),
                preferred_channel TEXT CHECK (length(preferred_channel) <= 32),
                joined_at TIMESTAMPTZ NOT NULL,
                version BIGINT NOT NULL CHECK (version > 0),
                tokens_not_before TIMESTAMPTZ
            )
            """,
            """
            CREATE TABLE member_identity (
                member_id UUID NOT NULL REFERENCES member (id),
                id UUID NOT NULL,
                kind TEXT NOT NULL CHECK (kind IN ('wechat_openid', 'wechat_unionid', 'external')),
                app_id TEXT NOT NULL CHECK (length(app_id) <= 64),
                subject TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 128),
                bound_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, id),
                UNIQUE (kind, subject, app_id)
            )
            """,
            """
            CREATE TABLE member_interest (
                member_id UUID NOT NULL REFERENCES member (id),
                id UUID NOT NULL,
                theme_code TEXT NOT NULL,
                source TEXT NOT NULL CHECK (source IN ('declared', 'inferred')),
                weight_permille INTEGER NOT NULL CHECK (weight_permille BETWEEN 0 AND 1000),
                set_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, id),
                UNIQUE (member_id, theme_code, source)
            )
            """,
            """
            CREATE TABLE member_session (
                member_id UUID NOT NULL REFERENCES member (id),
                id UUID NOT NULL,
                app_id TEXT NOT NULL,
                started_at TIMESTAMPTZ NOT NULL,
                expires_at TIMESTAMPTZ NOT NULL,
                revoked_at TIMESTAMPTZ,
                revoked_because TEXT
                    CHECK (revoked_because IN ('signed_out', 'signed_out_everywhere', 'reuse')),
                PRIMARY KEY (member_id, id),
                CHECK ((revoked_at IS NULL) = (revoked_because IS NULL))
            )
            """,
            """
            CREATE TABLE refresh_token (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                session_id UUID NOT NULL,
                token_hash TEXT NOT NULL CHECK (length(token_hash) = 64),
                issued_at TIMESTAMPTZ NOT NULL,
                used_at TIMESTAMPTZ,
                PRIMARY KEY (member_id, id),
                UNIQUE (member_id, token_hash),
                FOREIGN KEY (member_id, session_id) REFERENCES member_session (member_id, id)
            )
            """,
        ),
    ]
