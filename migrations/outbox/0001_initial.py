"""Events that a transaction announces, delivered after it committed; the append-only guard."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_COLUMNS = """
    member_id UUID,
    kind TEXT NOT NULL,
    payload JSONB NOT NULL,
    announced_at TIMESTAMPTZ NOT NULL,
    delivered_at TIMESTAMPTZ
"""


class Migration(migration.Migration):
    operations = [
        Statements(
            postgres=[
                # Numbers grow in the order in which they are drawn. What is announced under one
                # lock, as all postings of a member are, is committed in that order too.
                f"CREATE TABLE outbox (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
                f"{_COLUMNS})",
                """
                CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
                        USING ERRCODE = 'restrict_violation';
                END
                $$
                """,
            ],
            sqlite=[f"CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, {_COLUMNS})"],
        ),
        Statements(
            "CREATE INDEX outbox_undelivered ON outbox (id) WHERE delivered_at IS NULL",
            "CREATE INDEX outbox_member ON outbox (member_id, id)",
        ),
    ]
