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
            # What was done too late, or waits since it was: the sweeper finds these besides those
            # that nobody has done anything about.
            "CREATE INDEX ticket_answered_late ON ticket (answered_at, id) "
            "WHERE answer_breached_at IS NULL AND answered_at > answer_by",
            "CREATE INDEX ticket_resolved_late ON ticket (resolved_at, id) "
            "WHERE resolve_breached_at IS NULL AND resolved_at > resolve_by",
            "CREATE INDEX ticket_paused_late ON ticket (paused_at, id) "
            "WHERE resolve_breached_at IS NULL AND paused_at > resolve_by",
        ),
    ]
