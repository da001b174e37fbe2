"""Migration operations with hand-written DDL that runs on both databases (decisions/0002).

DDL is written once in PostgreSQL's words. SQLite takes the same types (the engine converts UUID,
TIMESTAMPTZ, DATE and BOOLEAN by their declared names); where the two differ, an operation carries
both texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tortoise.migrations import operations as tortoise_operations
from tortoise.migrations.operations import FieldLike
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State

PARTITIONS = 8
"""Hash partitions of each big table: enough to spread a large table's indexes and vacuums."""


async def _run(editor: BaseSchemaEditor | None, statements: Sequence[str]) -> None:
    """Run statements one by one: the stock runner splits at every `;`, which breaks triggers."""
    if editor is None:
        return
    for statement in statements:
        if editor.collect_sql:
            editor.collected_sql.append(statement)
        else:
            await editor.client.execute_query(statement)


class Statements(tortoise_operations.RunSQL):
    """DDL statements: those for both databases first, then those of the one that is migrated."""

    def __init__(
        self,
        *both: str,
        postgres: Sequence[str] = (),
        sqlite: Sequence[str] = (),
    ) -> None:
        super().__init__("", reverse_sql=None)
        self._both, self._postgres, self._sqlite = both, postgres, sqlite

    async def database_forward(
        self,
        app_label: str,
        old_state: State,
        new_state: State,
        state_editor: BaseSchemaEditor | None = None,
    ) -> None:
        """Run what is written for this database."""
        own = self._sqlite if _is_sqlite(state_editor) else self._postgres
        await _run(state_editor, (*self._both, *own))


class PartitionedTable(Statements):
    """A table that is hash-partitioned on PostgreSQL and plain on SQLite."""

    def __init__(self, name: str, *, by: str, columns: str) -> None:
        create = f"CREATE TABLE {name} ({columns})"
        parts = [
            f"CREATE TABLE {name}_p{i} PARTITION OF {name} "
            f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {i})"
            for i in range(PARTITIONS)
        ]
        super().__init__(
            postgres=[f"{create} PARTITION BY HASH ({by})", *parts],
            sqlite=[f"{create} WITHOUT ROWID"],
        )


class ModelTable(tortoise_operations.CreateModel):
    """The table of a model, made by hand-written DDL, kept in the migration state (no drift)."""

    def __init__(
        self,
        name: str,
        fields: list[tuple[str, FieldLike]],
        options: dict[str, Any],
        *,
        columns: str,
        then: Sequence[str] = (),
    ) -> None:
        super().__init__(name, fields, options)
        self._statements = [f"CREATE TABLE {options['table']} ({columns})", *then]

    async def database_forward(
        self,
        app_label: str,
        old_state: State,
        new_state: State,
        state_editor: BaseSchemaEditor | None = None,
    ) -> None:
        """Create the table as it is written here."""
        await _run(state_editor, self._statements)


class ForgottenModel(tortoise_operations.DeleteModel):
    """A model that is no more, while its table stays: plain SQL serves it from here on."""

    async def database_forward(
        self,
        app_label: str,
        old_state: State,
        new_state: State,
        state_editor: BaseSchemaEditor | None = None,
    ) -> None:
        """Leave the table as it is."""


class ChangedField(tortoise_operations.AlterField):
    """A field of a model as it is from here on, where hand-written DDL changes its column."""

    async def database_forward(
        self,
        app_label: str,
        old_state: State,
        new_state: State,
        state_editor: BaseSchemaEditor | None = None,
    ) -> None:
        """Leave the table to the statements."""


def append_only(table: str, *, partitioned: bool = False) -> Statements:
    """Refuse UPDATE, DELETE and TRUNCATE on a journal, in the database itself.

    Both databases report it as an integrity error. On PostgreSQL the row trigger on a partitioned
    parent covers its partitions; TRUNCATE of one partition asks only that partition's own trigger.
    """
    parts = [f"{table}_p{i}" for i in range(PARTITIONS)] if partitioned else []
    return Statements(
        postgres=[
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
            *(
                f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
                for name in (table, *parts)
            ),
        ],
        sqlite=[
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ],
    )


def _is_sqlite(editor: BaseSchemaEditor | None) -> bool:
    return editor is not None and editor.DIALECT == "sqlite"
