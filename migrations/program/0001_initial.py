"""The programme: one row."""

from tortoise import fields
from tortoise.migrations import migration

from domain.storage.migration_operations import ModelTable


class Migration(migration.Migration):
    operations = [
        ModelTable(
            "Program",
            fields=[
                ("id", fields.SmallIntField(primary_key=True, generated=False)),
                ("name_zh", fields.TextField()),
                ("name_en", fields.TextField()),
                ("time_zone", fields.TextField()),
                ("currency", fields.CharField(max_length=3)),
            ],
            options={
                "table": "program",
                "app": "program",
                "pk_attr": "id",
                "table_description": "The programme: one row.",
            },
            columns="""
                id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
                name_zh TEXT NOT NULL,
                name_en TEXT NOT NULL,
                time_zone TEXT NOT NULL,
                currency TEXT NOT NULL CHECK (length(currency) = 3)
            """,
        ),
    ]
