"""Orders pushed by shops or imported, and the versioned rules by which they earn points."""

from tortoise.migrations import migration

from domain.storage.migration_operations import PartitionedTable, Statements

_MAX = 9_007_199_254_740_991


class Migration(migration.Migration):
    operations = [
        Statements(
            # One version of an earning rule; never changed.
            """
            CREATE TABLE earning_rule (
                id UUID NOT NULL PRIMARY KEY,
                code TEXT NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
                version INTEGER NOT NULL CHECK (version > 0),
                definition JSONB NOT NULL,
                created_at TIMESTAMPTZ NOT NULL,
                UNIQUE (code, version)
            )
            """,
        ),
        PartitionedTable(
            "purchase",
            by="member_id",
            columns=f"""
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                source TEXT NOT NULL,
                external_id TEXT NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
                placed_at TIMESTAMPTZ NOT NULL,
                recorded_at TIMESTAMPTZ NOT NULL,
                paid_fen BIGINT NOT NULL CHECK (paid_fen BETWEEN 0 AND {_MAX}),
                currency TEXT NOT NULL CHECK (length(currency) = 3),
                channel TEXT CHECK (length(channel) <= 64),
                shop TEXT CHECK (length(shop) <= 128),
                rule_code TEXT NOT NULL,
                rule_version INTEGER NOT NULL,
                multiplier_permille INTEGER NOT NULL CHECK (multiplier_permille >= 0),
                points BIGINT NOT NULL CHECK (points BETWEEN 0 AND {_MAX}),
                PRIMARY KEY (member_id, id)
            """,
        ),
        Statements(
            "CREATE INDEX purchase_placed ON purchase (member_id, placed_at, id)",
        ),
        PartitionedTable(
            "purchase_line",
            by="member_id",
            columns=f"""
                member_id UUID NOT NULL,
                purchase_id UUID NOT NULL,
                line_id TEXT NOT NULL CHECK (length(line_id) BETWEEN 1 AND 128),
                product_code TEXT NOT NULL CHECK (length(product_code) BETWEEN 1 AND 64),
                quantity INTEGER NOT NULL CHECK (quantity >= 0),
                amount_fen BIGINT NOT NULL CHECK (amount_fen BETWEEN 0 AND {_MAX}),
                rate_permille INTEGER NOT NULL CHECK (rate_permille >= 0),
                PRIMARY KEY (member_id, purchase_id, line_id)
            """,
        ),
    ]
