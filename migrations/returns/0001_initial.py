"""Money that shops gave back for orders, and the lines that it was given back for."""

from tortoise.migrations import migration

from domain.storage.migration_operations import PartitionedTable, Statements

_MAX = 9_007_199_254_740_991


class Migration(migration.Migration):
    operations = [
        PartitionedTable(
            "purchase_refund",
            by="member_id",
            columns=f"""
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                purchase_id UUID NOT NULL,
                source TEXT NOT NULL,
                external_id TEXT NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
                amount_fen BIGINT NOT NULL CHECK (amount_fen BETWEEN 1 AND {_MAX}),
                currency TEXT NOT NULL CHECK (length(currency) = 3),
                refunded_at TIMESTAMPTZ NOT NULL,
                recorded_at TIMESTAMPTZ NOT NULL,
                points_taken BIGINT NOT NULL CHECK (points_taken BETWEEN 0 AND {_MAX}),
                debt_after BIGINT NOT NULL CHECK (debt_after BETWEEN 0 AND {_MAX}),
                came_with UUID,
                PRIMARY KEY (member_id, id)
            """,
        ),
        PartitionedTable(
            "purchase_refund_line",
            by="member_id",
            columns=f"""
                member_id UUID NOT NULL,
                refund_id UUID NOT NULL,
                line_id TEXT NOT NULL CHECK (length(line_id) BETWEEN 1 AND 128),
                purchase_id UUID NOT NULL,
                quantity INTEGER NOT NULL CHECK (quantity >= 0),
                amount_fen BIGINT NOT NULL CHECK (amount_fen BETWEEN 0 AND {_MAX}),
                came_with UUID,
                PRIMARY KEY (member_id, refund_id, line_id)
            """,
        ),
        Statements(
            "CREATE INDEX purchase_refund_of ON purchase_refund "
            "(member_id, purchase_id, refunded_at, id)",
            "CREATE INDEX purchase_refund_line_of ON purchase_refund_line "
            "(member_id, purchase_id, line_id)",
        ),
    ]
