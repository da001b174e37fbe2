"""Who may call besides members: API clients of shops and partners, and staff."""

from tortoise import fields
from tortoise.migrations import migration

from domain.storage.migration_operations import ModelTable


class Migration(migration.Migration):
    operations = [
        ModelTable(
            "ApiClient",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("code", fields.CharField(max_length=64, unique=True)),
                ("name", fields.TextField()),
                ("kind", fields.CharField(max_length=16)),
                ("scopes", fields.TextField()),
                ("created_at", fields.DatetimeField()),
                ("disabled_at", fields.DatetimeField(null=True)),
                ("tokens_not_before", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "api_client",
                "app": "access",
                "pk_attr": "id",
                "table_description": "A shop or a partner platform with tokens of its own.",
            },
            columns="""
                id UUID NOT NULL PRIMARY KEY,
                code TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
                name TEXT NOT NULL,
                kind TEXT NOT NULL CHECK (kind IN ('shop', 'partner')),
                scopes TEXT NOT NULL,
                created_at TIMESTAMPTZ NOT NULL,
                disabled_at TIMESTAMPTZ,
                tokens_not_before TIMESTAMPTZ
            """,
        ),
        ModelTable(
            "StaffAccount",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("login", fields.CharField(max_length=64, unique=True)),
                ("name", fields.TextField()),
                ("roles", fields.TextField()),
                ("created_at", fields.DatetimeField()),
                ("disabled_at", fields.DatetimeField(null=True)),
                ("tokens_not_before", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "staff_account",
                "app": "access",
                "pk_attr": "id",
                "table_description": "A person who works for the merchant.",
            },
            columns="""
                id UUID NOT NULL PRIMARY KEY,
                login TEXT NOT NULL UNIQUE CHECK (length(login) BETWEEN 1 AND 64),
                name TEXT NOT NULL,
                roles TEXT NOT NULL,
                created_at TIMESTAMPTZ NOT NULL,
                disabled_at TIMESTAMPTZ,
                tokens_not_before TIMESTAMPTZ
            """,
        ),
    ]
