"""Files of a day for each partner, and how what the partner has differs from them."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_MAX = 9_007_199_254_740_991


class Migration(migration.Migration):
    dependencies = [("games", "0003_bindings_and_events")]

    operations = [
        Statements(
            # The file has the id for its name. What is compared with it stands beside it, once the
            # partner has sent what it has.
            f"""
            CREATE TABLE game_reconciliation (
                id UUID NOT NULL PRIMARY KEY,
                partner_id UUID NOT NULL,
                day DATE NOT NULL,
                items BIGINT NOT NULL CHECK (items BETWEEN 0 AND {_MAX}),
                points BIGINT NOT NULL CHECK (points BETWEEN -{_MAX} AND {_MAX}),
                sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
                written_at TIMESTAMPTZ NOT NULL,
                compared_at TIMESTAMPTZ,
                compared_sha256 TEXT CHECK (length(compared_sha256) = 64),
                differences BIGINT CHECK (differences BETWEEN 0 AND {_MAX}),
                UNIQUE (partner_id, day),
                CONSTRAINT game_reconciliation_compared CHECK (
                    (compared_at IS NULL) = (compared_sha256 IS NULL)
                    AND (compared_at IS NULL) = (differences IS NULL))
            )
            """,
            # In the order of the external ids, by their bytes; no more than are kept.
            """
            CREATE TABLE game_difference (
                reconciliation_id UUID NOT NULL REFERENCES game_reconciliation (id),
                place INTEGER NOT NULL CHECK (place > 0),
                external_id TEXT NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
                kind TEXT NOT NULL CHECK (kind IN
                    ('MISSING_HERE', 'MISSING_THERE', 'AMOUNT_MISMATCH', 'STATUS_MISMATCH')),
                ours TEXT,
                theirs TEXT,
                PRIMARY KEY (reconciliation_id, place),
                CONSTRAINT game_difference_sides CHECK (
                    (kind = 'MISSING_HERE') = (ours IS NULL)
                    AND (kind = 'MISSING_THERE') = (theirs IS NULL))
            )
            """,
        ),
    ]
