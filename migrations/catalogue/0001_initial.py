"""Products and the themes that they belong to."""

from tortoise import fields
from tortoise.migrations import migration

from domain.storage.migration_operations import ModelTable


class Migration(migration.Migration):
    operations = [
        ModelTable(
            "Theme",
            fields=[
                ("code", fields.CharField(max_length=64, primary_key=True)),
                ("name_zh", fields.TextField()),
                ("name_en", fields.TextField()),
            ],
            options={
                "table": "theme",
                "app": "catalogue",
                "pk_attr": "code",
                "table_description": "What a group of products is about.",
            },
            columns="""
                code TEXT PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
                name_zh TEXT NOT NULL,
                name_en TEXT NOT NULL
            """,
        ),
        ModelTable(
            "Product",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("code", fields.CharField(max_length=64, unique=True)),
                ("title", fields.TextField()),
                ("theme_code", fields.CharField(max_length=64, null=True)),
                ("image_url", fields.TextField(null=True)),
                ("price_fen", fields.BigIntField(null=True)),
                ("active", fields.BooleanField(default=True)),
                ("updated_at", fields.DatetimeField()),
            ],
            options={
                "table": "product",
                "app": "catalogue",
                "pk_attr": "id",
                "table_description": "Something that is sold.",
            },
            columns="""
                id UUID PRIMARY KEY,
                code TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
                title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 256),
                theme_code TEXT REFERENCES theme (code),
                image_url TEXT CHECK (length(image_url) <= 2048),
                price_fen BIGINT CHECK (price_fen BETWEEN 0 AND 9007199254740991),
                active BOOLEAN NOT NULL,
                updated_at TIMESTAMPTZ NOT NULL
            """,
        ),
    ]
