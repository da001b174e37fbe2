"""Which members were written to about which new product: each about each once."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("recommendations", "0005_not_interested")]

    operations = [
        Statements(
            """
            CREATE TABLE product_letter (
                member_id UUID NOT NULL,
                product_code TEXT NOT NULL CHECK (length(product_code) BETWEEN 1 AND 64),
                sent_at TIMESTAMPTZ NOT NULL,
                came_with UUID,
                PRIMARY KEY (member_id, product_code)
            )
            """,
            # The last letter to a member: the next one waits.
            "CREATE INDEX product_letter_last ON product_letter (member_id, sent_at)",
        ),
    ]
