"""What members bought, line by line, for the statements of contexts above (decisions/0005)."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("purchases", "0004_notices")]

    operations = [
        Statements(
            # A door for others: a join by the key of the order, whose partition is the line's.
            """
            CREATE VIEW bought_product AS
            SELECT l.member_id, l.purchase_id, l.line_id, l.product_code, l.quantity,
                   p.placed_at, p.recorded_at
            FROM purchase_line AS l
            JOIN purchase AS p ON p.member_id = l.member_id AND p.id = l.purchase_id
            WHERE l.quantity > 0
            """,
        ),
    ]
