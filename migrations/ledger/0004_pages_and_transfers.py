"""Pages of the journal by kind; which hold a shop's reference stands for; transfers of a day."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("ledger", "0003_snapshots_and_due")]

    operations = [
        Statements(
            # A page of rare kinds is a short range for each of them.
            "CREATE INDEX points_entry_kind ON points_entry (member_id, kind, seq)",
            # The newest hold of a shop for one of its references: no two are in force.
            """
            CREATE TABLE points_hold_reference (
                owner TEXT NOT NULL,
                reference TEXT NOT NULL CHECK (length(reference) BETWEEN 1 AND 128),
                member_id UUID NOT NULL,
                hold_id UUID NOT NULL,
                PRIMARY KEY (owner, reference),
                FOREIGN KEY (member_id, hold_id) REFERENCES points_hold (member_id, hold_id)
            )
            """,
            # What a member gave to others on one day of the programme.
            """
            CREATE TABLE points_transferred (
                member_id UUID NOT NULL,
                day DATE NOT NULL,
                points BIGINT NOT NULL CHECK (points BETWEEN 1 AND 9007199254740991),
                times BIGINT NOT NULL CHECK (times > 0),
                PRIMARY KEY (member_id, day)
            )
            """,
        ),
    ]
