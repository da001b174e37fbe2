"""Two accounts of one person become one: who has a closed account's points, and which lots came."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements, append_only

_MAX = 9_007_199_254_740_991
_KINDS = (
    "'EARN', 'MATURE', 'REDEEM', 'EXPIRE', 'HOLD', 'CAPTURE', 'RELEASE', 'REVERSAL', "
    "'TRANSFER_IN', 'TRANSFER_OUT', 'ADJUST', 'MERGE_IN', 'MERGE_OUT'"
)
# Debt as large as the points beside it goes over with them: nothing in all, and yet a change.
_AMOUNT = "CHECK (amount <> 0 OR kind IN ('MERGE_IN', 'MERGE_OUT'))"


class Migration(migration.Migration):
    dependencies = [("ledger", "0006_guards")]

    operations = [
        Statements(
            postgres=[
                "ALTER TABLE points_entry DROP CONSTRAINT points_entry_amount_check",
                f"ALTER TABLE points_entry ADD CONSTRAINT points_entry_amount {_AMOUNT}",
            ],
            # SQLite changes no CHECK: the journal is written anew, and its triggers go with it.
            sqlite=[
                f"""
                CREATE TABLE points_entry_anew (
                    member_id UUID NOT NULL,
                    seq BIGINT NOT NULL CHECK (seq > 0),
                    kind TEXT NOT NULL CHECK (kind IN ({_KINDS})),
                    amount BIGINT NOT NULL,
                    available_change BIGINT NOT NULL,
                    pending_change BIGINT NOT NULL,
                    held_change BIGINT NOT NULL,
                    debt_change BIGINT NOT NULL,
                    balance_after BIGINT NOT NULL CHECK (balance_after BETWEEN 0 AND {_MAX}),
                    effective_at TIMESTAMPTZ NOT NULL,
                    recorded_at TIMESTAMPTZ NOT NULL,
                    source_kind TEXT NOT NULL,
                    reverses BIGINT,
                    text_commitment BYTEA NOT NULL CHECK (length(text_commitment) = 32),
                    content_hash BYTEA NOT NULL CHECK (length(content_hash) = 32),
                    hash BYTEA NOT NULL CHECK (length(hash) = 32),
                    PRIMARY KEY (member_id, seq),
                    CONSTRAINT points_entry_amount {_AMOUNT},
                    CONSTRAINT points_entry_net CHECK (
                        available_change + pending_change + held_change - debt_change =
                        CASE WHEN kind IN ('MATURE', 'HOLD', 'RELEASE') THEN 0 ELSE amount END
                    ),
                    CONSTRAINT points_entry_reverses CHECK (
                        (kind = 'REVERSAL') = (reverses IS NOT NULL)
                    )
                ) WITHOUT ROWID
                """,
                "INSERT INTO points_entry_anew SELECT * FROM points_entry",
                "DROP TABLE points_entry",
                "ALTER TABLE points_entry_anew RENAME TO points_entry",
                "CREATE INDEX points_entry_kind ON points_entry (member_id, kind, seq)",
                *(
                    f"CREATE TRIGGER points_entry_no_{verb.lower()} BEFORE {verb} ON points_entry "
                    "BEGIN SELECT RAISE(ABORT, 'points_entry is append-only'); END"
                    for verb in ("UPDATE", "DELETE")
                ),
            ],
        ),
        Statements(
            "ALTER TABLE points_account ADD COLUMN merged_into UUID",
            "ALTER TABLE points_adjustment ADD COLUMN came_with UUID",
            # The two entries by which points go over. A row for each pair.
            """
            CREATE TABLE points_merge (
                member_id UUID NOT NULL,
                out_seq BIGINT NOT NULL CHECK (out_seq > 0),
                to_member_id UUID NOT NULL,
                in_seq BIGINT NOT NULL CHECK (in_seq > 0),
                PRIMARY KEY (member_id, out_seq),
                UNIQUE (to_member_id, in_seq)
            )
            """,
            # Which lot of another account a lot was, at first.
            """
            CREATE TABLE points_lot_origin (
                member_id UUID NOT NULL,
                lot_seq BIGINT NOT NULL CHECK (lot_seq > 0),
                from_member_id UUID NOT NULL,
                from_lot_seq BIGINT NOT NULL CHECK (from_lot_seq > 0),
                PRIMARY KEY (member_id, lot_seq)
            )
            """,
            "CREATE INDEX points_lot_origin_from "
            "ON points_lot_origin (member_id, from_member_id, from_lot_seq)",
        ),
        append_only("points_merge"),
        append_only("points_lot_origin"),
    ]
