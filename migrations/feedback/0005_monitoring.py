"""What is counted of tickets: of which level and shop they were, and how long they took us."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("feedback", "0002_service_levels")]

    operations = [
        Statements(
            # As they were when the ticket was filed: a level changes, and of who was erased the
            # order is not known any more.
            "ALTER TABLE ticket ADD COLUMN level TEXT "
            "CONSTRAINT ticket_level CHECK (length(level) BETWEEN 1 AND 64)",
            "ALTER TABLE ticket ADD COLUMN shop TEXT "
            "CONSTRAINT ticket_shop CHECK (length(shop) BETWEEN 1 AND 128)",
            # Minutes that count by the calendar, without the pauses, until the first answer and
            # until the end.
            "ALTER TABLE ticket ADD COLUMN answer_took INTEGER "
            "CONSTRAINT ticket_answer_took CHECK (answer_took >= 0)",
            "ALTER TABLE ticket ADD COLUMN resolve_took INTEGER "
            "CONSTRAINT ticket_resolve_took CHECK (resolve_took >= 0)",
            "CREATE INDEX ticket_submitted ON ticket (submitted_at, id)",
        ),
    ]
