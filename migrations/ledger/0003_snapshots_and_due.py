"""Balances as of each hundredth entry, and whose balance is about to change by itself."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_MAX = 9_007_199_254_740_991

# Snapshots of the histories that are there: the same as `domain.ledger.snapshots` takes.
_SNAPSHOTS = """
    INSERT INTO points_snapshot (
        member_id, seq, available, pending, held, debt,
        effective_from, effective_to, effective_upto, reaches_back, recorded_at
    )
    SELECT member_id, seq,
           SUM(available) OVER so_far, SUM(pending) OVER so_far,
           SUM(held) OVER so_far, SUM(debt) OVER so_far,
           effective_from, effective_to, MAX(effective_to) OVER so_far,
           COALESCE(effective_from < MAX(effective_to) OVER (
               PARTITION BY member_id ORDER BY seq
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ), FALSE),
           recorded_at
    FROM (
        SELECT member_id, MAX(seq) AS seq, COUNT(*) AS entries,
               SUM(available_change) AS available, SUM(pending_change) AS pending,
               SUM(held_change) AS held, SUM(debt_change) AS debt,
               MIN(CASE WHEN effective_at < recorded_at THEN effective_at ELSE recorded_at END)
                   AS effective_from,
               MAX(CASE WHEN effective_at < recorded_at THEN effective_at ELSE recorded_at END)
                   AS effective_to,
               MAX(recorded_at) AS recorded_at
        FROM points_entry
        GROUP BY member_id, (seq - 1) / 100
    ) AS chapter
    WHERE entries = 100
    WINDOW so_far AS (PARTITION BY member_id ORDER BY seq)
"""


class Migration(migration.Migration):
    dependencies = [("ledger", "0002_holds_and_reversals")]

    operations = [
        Statements(
            f"""
            CREATE TABLE points_snapshot (
                member_id UUID NOT NULL,
                seq BIGINT NOT NULL CHECK (seq > 0 AND seq % 100 = 0),
                available BIGINT NOT NULL CHECK (available BETWEEN 0 AND {_MAX}),
                pending BIGINT NOT NULL CHECK (pending BETWEEN 0 AND {_MAX}),
                held BIGINT NOT NULL CHECK (held BETWEEN 0 AND {_MAX}),
                debt BIGINT NOT NULL CHECK (debt BETWEEN 0 AND {_MAX}),
                effective_from TIMESTAMPTZ NOT NULL,
                effective_to TIMESTAMPTZ NOT NULL,
                effective_upto TIMESTAMPTZ NOT NULL,
                reaches_back BOOLEAN NOT NULL,
                recorded_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, seq)
            )
            """,
            # Time travel begins at the last snapshot before which nothing is of later, ...
            "CREATE INDEX points_snapshot_effective "
            "ON points_snapshot (member_id, effective_upto, seq)",
            # ... at the last before which nothing was written later, ...
            "CREATE INDEX points_snapshot_recorded "
            "ON points_snapshot (member_id, recorded_at, seq)",
            # ... and looks into those chapters that tell of what was long before them.
            "CREATE INDEX points_snapshot_back ON points_snapshot (member_id, effective_from) "
            "WHERE reaches_back",
            # The sweeper takes the accounts that have waited longest.
            "CREATE INDEX points_account_due ON points_account (next_change_at) "
            "WHERE next_change_at < '9999-12-31 00:00:00.000000+00:00'",
            _SNAPSHOTS,
        ),
    ]
