"""What is shown to members: for now, the most bought products of the programme."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    operations = [
        Statements(
            """
            CREATE TABLE popular_product (
                rank INTEGER NOT NULL PRIMARY KEY CHECK (rank > 0),
                product_code TEXT NOT NULL UNIQUE,
                score DOUBLE PRECISION NOT NULL CHECK (score >= 0),
                computed_at TIMESTAMPTZ NOT NULL
            )
            """,
        ),
    ]
