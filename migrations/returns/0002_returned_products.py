"""What members gave back of what they bought, for the statements of contexts above."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("returns", "0001_initial")]

    operations = [
        Statements(
            # A door for others (decisions/0005): a join by the key of the refund.
            """
            CREATE VIEW returned_product AS
            SELECT l.member_id, l.purchase_id, l.line_id, l.quantity, r.refunded_at
            FROM purchase_refund_line AS l
            JOIN purchase_refund AS r ON r.member_id = l.member_id AND r.id = l.refund_id
            """,
        ),
    ]
