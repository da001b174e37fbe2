"""What holds and reversals need beyond the first tables; accounts that an audit froze."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        Statements(
            "ALTER TABLE points_account ADD COLUMN frozen_at TIMESTAMPTZ",
            # Nothing has ever made a hold: the tables are made anew, as they are needed.
            "DROP TABLE points_pin",
            "DROP TABLE points_hold",
            """
            CREATE TABLE points_hold (
                member_id UUID NOT NULL,
                hold_id UUID NOT NULL,
                owner TEXT NOT NULL,
                entry_seq BIGINT NOT NULL CHECK (entry_seq > 0),
                reference TEXT NOT NULL,
                amount BIGINT NOT NULL CHECK (amount BETWEEN 1 AND 9007199254740991),
                state TEXT NOT NULL CHECK (state IN ('OPEN', 'CAPTURED', 'RELEASED', 'EXPIRED')),
                captured BIGINT NOT NULL CHECK (captured BETWEEN 0 AND amount),
                expires_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, hold_id),
                CONSTRAINT points_hold_captured CHECK ((captured > 0) = (state = 'CAPTURED'))
            )
            """,
            # A posting reads the open holds of its members; the sweeper looks for those due.
            "CREATE INDEX points_hold_open ON points_hold (member_id) WHERE state = 'OPEN'",
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
            "CREATE INDEX points_lot_pinned ON points_lot (member_id, lot_seq) WHERE pinned > 0",
            # One cause undoes a part of one entry once, whatever key it comes with.
            """
            CREATE TABLE points_reversal (
                member_id UUID NOT NULL,
                reverses BIGINT NOT NULL,
                cause TEXT NOT NULL CHECK (length(cause) BETWEEN 1 AND 255),
                seq BIGINT NOT NULL,
                PRIMARY KEY (member_id, reverses, cause)
            )
            """,
        ),
    ]
