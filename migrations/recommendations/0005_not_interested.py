"""What members do not want to be shown; the most bought products of each theme."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("recommendations", "0004_models")]

    operations = [
        Statements(
            # Two records of one person may both say it of a product: either is enough.
            """
            CREATE TABLE not_interested (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                product_code TEXT NOT NULL CHECK (length(product_code) BETWEEN 1 AND 64),
                at TIMESTAMPTZ NOT NULL,
                came_with UUID,
                PRIMARY KEY (member_id, id)
            )
            """,
            "CREATE INDEX not_interested_product ON not_interested (member_id, product_code)",
            # `theme_share`: how often it is bought against the most bought of its theme.
            "ALTER TABLE popular_product ADD COLUMN theme_code TEXT "
            "CHECK (length(theme_code) BETWEEN 1 AND 64)",
            "ALTER TABLE popular_product ADD COLUMN theme_share DOUBLE PRECISION "
            "NOT NULL DEFAULT 0 CHECK (theme_share >= 0)",
            "CREATE INDEX popular_product_theme ON popular_product (theme_code, rank)",
        ),
    ]
