"""Products and the themes that they belong to."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    operations = [
        Statements(
            """
            CREATE TABLE theme (
                code TEXT NOT NULL PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
                name_zh TEXT NOT NULL,
                name_en TEXT NOT NULL
            )
            """,
            """
            CREATE TABLE product (
                id UUID NOT NULL PRIMARY KEY,
                code TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
                title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 256),
                theme_code TEXT REFERENCES theme (code),
                image_url TEXT CHECK (length(image_url) <= 2048),
                price_fen BIGINT CHECK (price_fen BETWEEN 0 AND 9007199254740991),
                active BOOLEAN NOT NULL,
                updated_at TIMESTAMPTZ NOT NULL
            )
            """,
            # The context's front door for statements of others, which may join this view alone.
            """
            CREATE VIEW product_card AS
            SELECT p.id, p.code, p.title, p.image_url, p.price_fen, p.active, p.theme_code,
                   t.name_zh AS theme_name_zh, t.name_en AS theme_name_en
            FROM product AS p LEFT JOIN theme AS t ON t.code = p.theme_code
            """,
        ),
    ]
