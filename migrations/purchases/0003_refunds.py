"""What was refunded of an order, and which entries of the journal its points are."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_REFUNDED = "CHECK (refunded_fen BETWEEN 0 AND paid_fen)"
_TAKEN = "CHECK (points_taken BETWEEN 0 AND points)"
_EARNED = "CHECK ((earned_by IS NULL) = (earned_seq IS NULL))"


class Migration(migration.Migration):
    dependencies = [("purchases", "0002_came_with")]

    operations = [
        Statements(
            # Orders are many: they are not written anew, and are checked after the columns stand.
            postgres=[
                "ALTER TABLE purchase ADD COLUMN refunded_fen BIGINT NOT NULL DEFAULT 0",
                "ALTER TABLE purchase ADD COLUMN points_taken BIGINT NOT NULL DEFAULT 0",
                "ALTER TABLE purchase_line ADD COLUMN earned_by UUID",
                "ALTER TABLE purchase_line ADD COLUMN earned_seq BIGINT",
                f"ALTER TABLE purchase ADD CONSTRAINT purchase_refunded {_REFUNDED} NOT VALID",
                f"ALTER TABLE purchase ADD CONSTRAINT purchase_taken {_TAKEN} NOT VALID",
                f"ALTER TABLE purchase_line ADD CONSTRAINT purchase_line_earned {_EARNED} "
                "NOT VALID",
                "ALTER TABLE purchase VALIDATE CONSTRAINT purchase_refunded",
                "ALTER TABLE purchase VALIDATE CONSTRAINT purchase_taken",
                "ALTER TABLE purchase_line VALIDATE CONSTRAINT purchase_line_earned",
            ],
            sqlite=[
                "ALTER TABLE purchase ADD COLUMN refunded_fen BIGINT NOT NULL DEFAULT 0 "
                f"CONSTRAINT purchase_refunded {_REFUNDED}",
                "ALTER TABLE purchase ADD COLUMN points_taken BIGINT NOT NULL DEFAULT 0 "
                f"CONSTRAINT purchase_taken {_TAKEN}",
                "ALTER TABLE purchase_line ADD COLUMN earned_by UUID",
                "ALTER TABLE purchase_line ADD COLUMN earned_seq BIGINT "
                f"CONSTRAINT purchase_line_earned {_EARNED}",
            ],
        )
    ]
