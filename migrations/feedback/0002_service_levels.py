"""When service is there and what it promises, by versions; what a broken promise pays."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("feedback", "0001_tickets")]

    operations = [
        Statements(
            # Tickets keep the versions that they were filed under: no row is ever changed.
            """
            CREATE TABLE service_calendar (
                version INTEGER NOT NULL PRIMARY KEY CHECK (version > 0),
                definition JSONB NOT NULL,
                defined_at TIMESTAMPTZ NOT NULL
            )
            """,
            """
            CREATE TABLE sla_policy (
                version INTEGER NOT NULL PRIMARY KEY CHECK (version > 0),
                definition JSONB NOT NULL,
                defined_at TIMESTAMPTZ NOT NULL
            )
            """,
            # What a ticket pays its member when the deadline of an answer, or of its end, passes.
            "ALTER TABLE ticket ADD COLUMN answer_points BIGINT NOT NULL DEFAULT 0 "
            "CONSTRAINT ticket_answer_points CHECK (answer_points >= 0)",
            "ALTER TABLE ticket ADD COLUMN resolve_points BIGINT NOT NULL DEFAULT 0 "
            "CONSTRAINT ticket_resolve_points CHECK (resolve_points >= 0)",
        ),
    ]
