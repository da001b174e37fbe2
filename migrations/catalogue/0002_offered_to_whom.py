"""A product may be for members from a level on, and may say since when it is new."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("catalogue", "0001_initial")]

    operations = [
        Statements(
            # The level that a member needs to be shown it; NULL is for everybody.
            "ALTER TABLE product ADD COLUMN level_code TEXT "
            "CHECK (length(level_code) BETWEEN 1 AND 32)",
            # NULL was always there: what was imported without a word about it is not new.
            "ALTER TABLE product ADD COLUMN introduced_at TIMESTAMPTZ",
            "CREATE INDEX product_introduced ON product (introduced_at) "
            "WHERE introduced_at IS NOT NULL",
            "DROP VIEW product_card",
            """
            CREATE VIEW product_card AS
            SELECT p.id, p.code, p.title, p.image_url, p.price_fen, p.active, p.theme_code,
                   t.name_zh AS theme_name_zh, t.name_en AS theme_name_en,
                   p.level_code, p.introduced_at
            FROM product AS p LEFT JOIN theme AS t ON t.code = p.theme_code
            """,
        ),
    ]
