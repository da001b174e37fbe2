"""A reward may give a product of the catalogue; published is who redeemed one, and what is given.

The views are the context's front door for statements of contexts above (decisions/0005).
"""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("rewards", "0011_from_stock")]

    operations = [
        Statements(
            "ALTER TABLE reward ADD COLUMN product_code TEXT "
            "CHECK (length(product_code) BETWEEN 1 AND 64)",
            "CREATE INDEX reward_product_code ON reward (product_code) "
            "WHERE product_code IS NOT NULL",
            # A join by the reward's key.
            """
            CREATE VIEW redeemed_product AS
            SELECT d.member_id, r.product_code, d.redeemed_at
            FROM redemption AS d
            JOIN reward AS r ON r.id = d.reward_id
            WHERE r.product_code IS NOT NULL AND d.status <> 'CANCELLED'
            """,
            # Whoever reads decides whether it is on offer: by the window, of which ends_at is
            # exclusive, by the stock, and by the level. NULL is no limit.
            """
            CREATE VIEW reward_product AS
            SELECT r.product_code, r.id AS reward_id, r.begins_at, r.ends_at, r.stock,
                   r.level_required AS level_code
            FROM reward AS r
            WHERE r.product_code IS NOT NULL
            """,
        ),
    ]
