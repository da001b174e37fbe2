"""Members, the identities that lead to them, their interests, and their sign-in sessions."""

from tortoise import fields
from tortoise.migrations import migration

from domain.storage.migration_operations import ModelTable


class Migration(migration.Migration):
    operations = [
        ModelTable(
            "Member",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("nickname", fields.TextField(default="")),
                ("avatar_url", fields.TextField(null=True)),
                ("birthday", fields.DateField(null=True)),
                ("gender", fields.CharField(max_length=16, null=True)),
                ("preferred_channel", fields.CharField(max_length=32, null=True)),
                ("joined_at", fields.DatetimeField()),
                ("version", fields.BigIntField(default=1)),
                ("tokens_not_before", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "member",
                "app": "members",
                "pk_attr": "id",
                "table_description": "One person, for life.",
            },
            columns="""
                id UUID NOT NULL PRIMARY KEY,
                nickname TEXT NOT NULL CHECK (length(nickname) <= 64),
                avatar_url TEXT CHECK (length(avatar_url) <= 2048),
                birthday DATE,
                gender TEXT CHECK (gender IN ('female', 'male', 'other')),
                preferred_channel TEXT CHECK (length(preferred_channel) <= 32),
                joined_at TIMESTAMPTZ NOT NULL,
                version BIGINT NOT NULL CHECK (version > 0),
                tokens_not_before TIMESTAMPTZ
            """,
        ),
        ModelTable(
            "MemberIdentity",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("member_id", fields.UUIDField()),
                ("kind", fields.CharField(max_length=32)),
                ("app_id", fields.CharField(max_length=64)),
                ("subject", fields.CharField(max_length=128)),
                ("bound_at", fields.DatetimeField()),
            ],
            options={
                "table": "member_identity",
                "app": "members",
                "pk_attr": "id",
                "table_description": "What a member is known by: openid, unionid, own reference.",
            },
            columns="""
                member_id UUID NOT NULL REFERENCES member (id),
                id UUID NOT NULL,
                kind TEXT NOT NULL CHECK (kind IN ('wechat_openid', 'wechat_unionid', 'external')),
                app_id TEXT NOT NULL CHECK (length(app_id) <= 64),
                subject TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 128),
                bound_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, id),
                UNIQUE (kind, subject, app_id)
            """,
        ),
        ModelTable(
            "MemberInterest",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("member_id", fields.UUIDField()),
                ("theme_code", fields.CharField(max_length=64)),
                ("source", fields.CharField(max_length=16)),
                ("weight_permille", fields.IntField()),
                ("set_at", fields.DatetimeField()),
            ],
            options={
                "table": "member_interest",
                "app": "members",
                "pk_attr": "id",
                "table_description": "A theme that a member cares for, declared or inferred.",
            },
            columns="""
                member_id UUID NOT NULL REFERENCES member (id),
                id UUID NOT NULL,
                theme_code TEXT NOT NULL,
                source TEXT NOT NULL CHECK (source IN ('declared', 'inferred')),
                weight_permille INTEGER NOT NULL CHECK (weight_permille BETWEEN 0 AND 1000),
                set_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, id),
                UNIQUE (member_id, theme_code, source)
            """,
        ),
        ModelTable(
            "MemberSession",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("member_id", fields.UUIDField()),
                ("app_id", fields.CharField(max_length=64)),
                ("started_at", fields.DatetimeField()),
                ("expires_at", fields.DatetimeField()),
                ("revoked_at", fields.DatetimeField(null=True)),
                ("revoked_because", fields.CharField(max_length=32, null=True)),
            ],
            options={
                "table": "member_session",
                "app": "members",
                "pk_attr": "id",
                "table_description": "One sign-in: the family of its refresh tokens.",
            },
            columns="""
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
            """,
        ),
        ModelTable(
            "RefreshToken",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("member_id", fields.UUIDField()),
                ("session_id", fields.UUIDField()),
                ("token_hash", fields.CharField(max_length=64)),
                ("issued_at", fields.DatetimeField()),
                ("used_at", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "refresh_token",
                "app": "members",
                "pk_attr": "id",
                "table_description": "A refresh token, hashed; used at most once.",
            },
            columns="""
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                session_id UUID NOT NULL,
                token_hash TEXT NOT NULL CHECK (length(token_hash) = 64),
                issued_at TIMESTAMPTZ NOT NULL,
                used_at TIMESTAMPTZ,
                PRIMARY KEY (member_id, id),
                UNIQUE (member_id, token_hash),
                FOREIGN KEY (member_id, session_id) REFERENCES member_session (member_id, id)
            """,
        ),
    ]
