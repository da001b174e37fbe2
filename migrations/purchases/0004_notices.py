"""What shops tell of orders on their way."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_KINDS = "'SHIPPED', 'TRANSFERRED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'DELIVERY_FAILED'"


class Migration(migration.Migration):
    dependencies = [("purchases", "0003_refunds")]

    operations = [
        Statements(
            f"""
            CREATE TABLE order_notice (
                member_id UUID NOT NULL,
                purchase_id UUID NOT NULL,
                id UUID NOT NULL,
                source TEXT NOT NULL,
                external_id TEXT NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
                kind TEXT NOT NULL CHECK (kind IN ({_KINDS})),
                carrier TEXT CHECK (length(carrier) BETWEEN 1 AND 64),
                number TEXT CHECK (length(number) BETWEEN 1 AND 64),
                at TIMESTAMPTZ NOT NULL,
                recorded_at TIMESTAMPTZ NOT NULL,
                came_with UUID,
                PRIMARY KEY (member_id, purchase_id, id)
            )
            """,
        ),
    ]
