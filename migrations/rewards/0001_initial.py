"""The reward catalogue and the coupons of members."""

from tortoise import fields
from tortoise.migrations import migration

from domain.storage.migration_operations import ModelTable, Statements


class Migration(migration.Migration):
    operations = [
        ModelTable(
            "Reward",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("code", fields.CharField(max_length=64, unique=True)),
                ("title_zh", fields.TextField()),
                ("title_en", fields.TextField()),
                ("description_zh", fields.TextField()),
                ("description_en", fields.TextField()),
                ("image_url", fields.TextField(null=True)),
                ("kind", fields.CharField(max_length=16)),
                ("points_price", fields.BigIntField()),
                ("stock", fields.IntField(null=True)),
                ("level_required", fields.CharField(max_length=32, null=True)),
                ("ends_at", fields.DatetimeField(null=True)),
                ("created_at", fields.DatetimeField()),
            ],
            options={
                "table": "reward",
                "app": "rewards",
                "pk_attr": "id",
                "table_description": "What points buy.",
            },
            columns="""
                id UUID NOT NULL PRIMARY KEY,
                code TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
                title_zh TEXT NOT NULL,
                title_en TEXT NOT NULL,
                description_zh TEXT NOT NULL,
                description_en TEXT NOT NULL,
                image_url TEXT CHECK (length(image_url) <= 2048),
                kind TEXT NOT NULL CHECK (kind IN ('GIFT', 'COUPON', 'PERK', 'PARTNER_PRIZE')),
                points_price BIGINT NOT NULL CHECK (points_price BETWEEN 1 AND 9007199254740991),
                stock INTEGER CHECK (stock >= 0),
                level_required TEXT,
                ends_at TIMESTAMPTZ,
                created_at TIMESTAMPTZ NOT NULL
            """,
        ),
        Statements(
            """
            CREATE TABLE coupon (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                code TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 8 AND 64),
                title_zh TEXT NOT NULL,
                title_en TEXT NOT NULL,
                status TEXT NOT NULL
                    CHECK (status IN ('ACTIVE', 'RESERVED', 'USED', 'EXPIRED', 'REVOKED')),
                issued_at TIMESTAMPTZ NOT NULL,
                expires_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, id)
            )
            """,
            "CREATE INDEX coupon_wallet ON coupon (member_id, status, expires_at, id)",
        ),
    ]
