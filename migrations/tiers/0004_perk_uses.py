"""Uses of perks: so many in each period, which the table itself holds."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("tiers", "0003_level_terms")]

    operations = [
        Statements(
            # A use outlives the perk that it was of, and tells by itself what that was.
            """
            CREATE TABLE perk_use (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                used_by UUID NOT NULL,
                perk_id UUID NOT NULL,
                perk_code TEXT NOT NULL CHECK (length(perk_code) BETWEEN 1 AND 32),
                level_code TEXT NOT NULL CHECK (length(level_code) BETWEEN 1 AND 32),
                title_zh TEXT NOT NULL,
                title_en TEXT NOT NULL,
                reference TEXT CHECK (length(reference) BETWEEN 1 AND 128),
                used_at TIMESTAMPTZ NOT NULL,
                used_on DATE NOT NULL,
                period TEXT CHECK (period IN ('DAY', 'MONTH', 'YEAR', 'BIRTHDAY')),
                began_on DATE CHECK (began_on <= used_on),
                ordinal INTEGER CHECK (ordinal BETWEEN 1 AND quota),
                quota INTEGER CONSTRAINT perk_use_counted CHECK (
                    (period IS NULL) = (quota IS NULL) AND (period IS NULL) = (ordinal IS NULL)
                    AND (period IS NULL) = (began_on IS NULL)
                ),
                cancelled_at TIMESTAMPTZ,
                cancel_reason TEXT CHECK (length(cancel_reason) BETWEEN 1 AND 256),
                came_with UUID,
                PRIMARY KEY (member_id, id)
            )
            """,
            # The uses of a period are numbered up to the quota, and each number is there once. By
            # the record that used it: where two were joined, each has numbers of its own.
            "CREATE UNIQUE INDEX perk_use_numbered ON perk_use "
            "(used_by, perk_code, period, began_on, ordinal) WHERE cancelled_at IS NULL",
            "CREATE INDEX perk_use_counting ON perk_use (member_id, perk_code, used_on)",
            "CREATE INDEX perk_use_page ON perk_use (member_id, used_at, id)",
            # What levels give is read by its kind from here on.
            "UPDATE perk SET value = upper(value) WHERE kind = 'SERVICE_LEVEL'",
            "UPDATE perk SET value = '' WHERE kind = 'DEDICATED_AGENT'",
        ),
    ]
