"""The points ledger: accounts, the append-only journal with its texts, lots, draws, holds, pins.

Amounts are points within ±(2^53−1). The money rules stand here a second time, as CHECKs.
"""

from tortoise.migrations import migration

from domain.storage.migration_operations import PartitionedTable, Statements, append_only

_MAX = 9_007_199_254_740_991

_KINDS = (
    "'EARN', 'MATURE', 'REDEEM', 'EXPIRE', 'HOLD', 'CAPTURE', 'RELEASE', 'REVERSAL', "
    "'TRANSFER_IN', 'TRANSFER_OUT', 'ADJUST', 'MERGE_IN', 'MERGE_OUT'"
)


class Migration(migration.Migration):
    dependencies = [("outbox", "0001_initial")]  # the function refuse_change
    operations = [
        Statements(
            f"""
            CREATE TABLE points_account (
                member_id UUID NOT NULL PRIMARY KEY,
                available BIGINT NOT NULL CHECK (available BETWEEN 0 AND {_MAX}),
                pending BIGINT NOT NULL CHECK (pending BETWEEN 0 AND {_MAX}),
                held BIGINT NOT NULL CHECK (held BETWEEN 0 AND {_MAX}),
                debt BIGINT NOT NULL CHECK (debt BETWEEN 0 AND {_MAX}),
                version BIGINT NOT NULL CHECK (version >= 0),
                lots BIGINT NOT NULL CHECK (lots >= 0),
                head_hash BYTEA NOT NULL CHECK (length(head_hash) = 32),
                next_change_at TIMESTAMPTZ NOT NULL,
                recorded_at TIMESTAMPTZ NOT NULL,
                CONSTRAINT points_account_debt_or_available CHECK (available = 0 OR debt = 0)
            )
            """,
        ),
        PartitionedTable(
            "points_entry",
            by="member_id",
            columns=f"""
                member_id UUID NOT NULL,
                seq BIGINT NOT NULL CHECK (seq > 0),
                kind TEXT NOT NULL CHECK (kind IN ({_KINDS})),
                amount BIGINT NOT NULL CHECK (amount <> 0),
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
                CONSTRAINT points_entry_net CHECK (
                    available_change + pending_change + held_change - debt_change =
                    CASE WHEN kind IN ('MATURE', 'HOLD', 'RELEASE') THEN 0 ELSE amount END
                ),
                CONSTRAINT points_entry_reverses CHECK (
                    (kind = 'REVERSAL') = (reverses IS NOT NULL)
                )
            """,
        ),
        append_only("points_entry", partitioned=True),
        Statements(
            """
            CREATE TABLE points_entry_text (
                member_id UUID NOT NULL,
                seq BIGINT NOT NULL,
                reason TEXT,
                note TEXT,
                reference TEXT,
                salt BYTEA NOT NULL CHECK (length(salt) = 16),
                PRIMARY KEY (member_id, seq)
            )
            """,
        ),
        PartitionedTable(
            "points_lot",
            by="member_id",
            columns=f"""
                member_id UUID NOT NULL,
                lot_seq BIGINT NOT NULL CHECK (lot_seq > 0),
                entry_seq BIGINT NOT NULL CHECK (entry_seq > 0),
                earned BIGINT NOT NULL CHECK (earned BETWEEN 1 AND {_MAX}),
                remaining BIGINT NOT NULL,
                pinned BIGINT NOT NULL,
                pending BOOLEAN NOT NULL,
                earned_at TIMESTAMPTZ NOT NULL,
                matures_at TIMESTAMPTZ NOT NULL,
                expires_at TIMESTAMPTZ NOT NULL,
                parent_lot BIGINT,
                PRIMARY KEY (member_id, lot_seq),
                CONSTRAINT points_lot_remaining CHECK (remaining BETWEEN 0 AND earned),
                CONSTRAINT points_lot_pinned CHECK (pinned BETWEEN 0 AND remaining)
            """,
        ),
        Statements(
            # Spending reads the open lots in the order in which they are spent.
            "CREATE INDEX points_lot_open ON points_lot (member_id, expires_at, lot_seq) "
            "WHERE remaining > pinned",
            # The sweeper looks for what is due over all members.
            "CREATE INDEX points_lot_expiry ON points_lot (expires_at) WHERE remaining > 0",
            # A reader asks which of one member's pending lots have matured meanwhile.
            "CREATE INDEX points_lot_pending ON points_lot (member_id, matures_at) WHERE pending",
            # A page of the journal names the lots that its entries made.
            "CREATE INDEX points_lot_entry ON points_lot (member_id, entry_seq)",
        ),
        PartitionedTable(
            "points_draw",
            by="member_id",
            columns="""
                member_id UUID NOT NULL,
                entry_seq BIGINT NOT NULL,
                lot_seq BIGINT NOT NULL,
                amount BIGINT NOT NULL CHECK (amount > 0),
                PRIMARY KEY (member_id, entry_seq, lot_seq)
            """,
        ),
        append_only("points_draw", partitioned=True),
        Statements(
            f"""
            CREATE TABLE points_hold (
                member_id UUID NOT NULL,
                hold_id UUID NOT NULL,
                amount BIGINT NOT NULL CHECK (amount BETWEEN 1 AND {_MAX}),
                state TEXT NOT NULL CHECK (state IN ('OPEN', 'CAPTURED', 'RELEASED', 'EXPIRED')),
                captured BIGINT NOT NULL CHECK (captured BETWEEN 0 AND amount),
                expires_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, hold_id)
            )
            """,
            "CREATE INDEX points_hold_expiry ON points_hold (expires_at) WHERE state = 'OPEN'",
            """
            CREATE TABLE points_pin (
                member_id UUID NOT NULL,
                hold_id UUID NOT NULL,
                lot_seq BIGINT NOT NULL,
                amount BIGINT NOT NULL CHECK (amount > 0),
                PRIMARY KEY (member_id, hold_id, lot_seq),
                FOREIGN KEY (member_id, hold_id) REFERENCES points_hold (member_id, hold_id)
            )
            """,
            f"""
            CREATE TABLE points_reversed (
                member_id UUID NOT NULL,
                entry_seq BIGINT NOT NULL,
                amount BIGINT NOT NULL CHECK (amount BETWEEN 1 AND {_MAX}),
                reversed BIGINT NOT NULL CHECK (reversed >= 0),
                PRIMARY KEY (member_id, entry_seq),
                CONSTRAINT points_reversed_within CHECK (reversed <= amount)
            )
            """,
        ),
    ]
