"""A level may come from another system, and with another record of the same person."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_REASONS = "CHECK (reason IN ('QUALIFIED', 'IMPORTED', 'MERGED', 'PARTED'))"


class Migration(migration.Migration):
    dependencies = [("tiers", "0001_initial")]
    operations = [
        Statements(
            postgres=[
                "ALTER TABLE level_change DROP CONSTRAINT level_change_reason_check",
                f"ALTER TABLE level_change ADD CONSTRAINT level_change_reason_check {_REASONS}",
            ],
            # SQLite changes no constraint: the table is written anew, and its triggers go with it.
            sqlite=[
                f"""
                CREATE TABLE level_change_anew (
                    member_id UUID NOT NULL,
                    seq BIGINT NOT NULL CHECK (seq > 0),
                    from_code TEXT,
                    to_code TEXT NOT NULL,
                    reason TEXT NOT NULL {_REASONS},
                    qualifying_points BIGINT NOT NULL CHECK (qualifying_points >= 0),
                    source_kind TEXT NOT NULL,
                    occurred_at TIMESTAMPTZ NOT NULL,
                    PRIMARY KEY (member_id, seq)
                )
                """,
                "INSERT INTO level_change_anew SELECT * FROM level_change",
                "DROP TABLE level_change",
                "ALTER TABLE level_change_anew RENAME TO level_change",
                *(
                    f"CREATE TRIGGER level_change_no_{verb.lower()} BEFORE {verb} ON level_change "
                    "BEGIN SELECT RAISE(ABORT, 'level_change is append-only'); END"
                    for verb in ("UPDATE", "DELETE")
                ),
            ],
        ),
    ]
