"""Levels and their perks, the level of each member, and what qualifies for it."""

from tortoise import fields
from tortoise.migrations import migration

from domain.storage.migration_operations import ModelTable, Statements, append_only


class Migration(migration.Migration):
    dependencies = [("outbox", "0001_initial")]  # the function refuse_change
    operations = [
        ModelTable(
            "Level",
            fields=[
                ("code", fields.CharField(max_length=32, primary_key=True)),
                ("rank", fields.IntField(unique=True)),
                ("name_zh", fields.TextField()),
                ("name_en", fields.TextField()),
                ("threshold", fields.BigIntField(unique=True)),
            ],
            options={
                "table": "level",
                "app": "tiers",
                "pk_attr": "code",
                "table_description": "A level of the programme; rank 0 is where everyone begins.",
            },
            columns="""
                code TEXT NOT NULL PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 32),
                rank INTEGER NOT NULL UNIQUE CHECK (rank >= 0),
                name_zh TEXT NOT NULL,
                name_en TEXT NOT NULL,
                threshold BIGINT NOT NULL UNIQUE CHECK (threshold BETWEEN 0 AND 9007199254740991),
                CONSTRAINT level_base CHECK ((rank = 0) = (threshold = 0))
            """,
        ),
        ModelTable(
            "Perk",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("level_code", fields.CharField(max_length=32)),
                ("code", fields.CharField(max_length=32)),
                ("position", fields.IntField()),
                ("kind", fields.CharField(max_length=32)),
                ("value", fields.TextField()),
                ("title_zh", fields.TextField()),
                ("title_en", fields.TextField()),
                ("description_zh", fields.TextField()),
                ("description_en", fields.TextField()),
                ("quota", fields.IntField(null=True)),
                ("period", fields.CharField(max_length=16, null=True)),
            ],
            options={
                "table": "perk",
                "app": "tiers",
                "pk_attr": "id",
                "table_description": "What a level gives.",
            },
            columns="""
                id UUID NOT NULL PRIMARY KEY,
                level_code TEXT NOT NULL REFERENCES level (code),
                code TEXT NOT NULL CHECK (length(code) BETWEEN 1 AND 32),
                position INTEGER NOT NULL CHECK (position >= 0),
                kind TEXT NOT NULL CHECK (kind IN (
                    'DISCOUNT', 'EARNING_MULTIPLIER', 'FREE_SHIPPING', 'FASTER_SHIPPING',
                    'SERVICE_LEVEL', 'DEDICATED_AGENT', 'BIRTHDAY_GIFT', 'EVENT_ACCESS'
                )),
                value TEXT NOT NULL,
                title_zh TEXT NOT NULL,
                title_en TEXT NOT NULL,
                description_zh TEXT NOT NULL,
                description_en TEXT NOT NULL,
                quota INTEGER CHECK (quota > 0),
                period TEXT CHECK (period IN ('DAY', 'MONTH', 'YEAR', 'BIRTHDAY')),
                UNIQUE (level_code, code),
                CONSTRAINT perk_quota_period CHECK ((quota IS NULL) = (period IS NULL))
            """,
        ),
        Statements(
            """
            CREATE TABLE member_level (
                member_id UUID NOT NULL PRIMARY KEY,
                level_code TEXT NOT NULL REFERENCES level (code),
                since TIMESTAMPTZ NOT NULL,
                keep_until TIMESTAMPTZ NOT NULL,
                keep_after_day DATE NOT NULL,
                changes BIGINT NOT NULL CHECK (changes >= 0)
            )
            """,
            """
            CREATE TABLE level_change (
                member_id UUID NOT NULL,
                seq BIGINT NOT NULL CHECK (seq > 0),
                from_code TEXT,
                to_code TEXT NOT NULL,
                reason TEXT NOT NULL CHECK (reason IN ('QUALIFIED')),
                qualifying_points BIGINT NOT NULL CHECK (qualifying_points >= 0),
                source_kind TEXT NOT NULL,
                occurred_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, seq)
            )
            """,
            """
            CREATE TABLE qualifying_day (
                member_id UUID NOT NULL,
                day DATE NOT NULL,
                points BIGINT NOT NULL CHECK (points BETWEEN 0 AND 9007199254740991),
                purchases INTEGER NOT NULL CHECK (purchases >= 0),
                PRIMARY KEY (member_id, day)
            )
            """,
        ),
        append_only("level_change"),
    ]
