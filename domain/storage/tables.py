"""Writing many rows with one statement, whatever their number.

On PostgreSQL a batch travels as one array per column (`unnest`), and several tables' batches in one
statement; on SQLite, which is in process, `executemany` serves each table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from domain.storage import database


@dataclass(frozen=True, slots=True)
class Write:
    """Rows on their way into one table, from `Table.inserting` or `Table.updating`."""

    table: Table
    columns: tuple[str, ...]
    rows: Sequence[dict[str, Any]]
    key: tuple[str, ...] = ()
    """The columns that find the row to update; none for an insert."""

    suffix: str = ""


async def write_together(writes: Iterable[Write]) -> None:
    """Write all of it: one statement on PostgreSQL, one for each table on SQLite.

    The parts must not depend on one another: on PostgreSQL each sees the tables as they were
    before all of them. Without rows nothing is sent.
    """
    full = [write for write in writes if write.rows]
    if not full:
        return
    if database.dialect() == "postgres":
        shape = tuple((one.table, one.columns, one.key, one.suffix) for one in full)
        values = [values for one in full for values in _columns(one.rows, one.columns)]
        await database.execute(_merged(shape), *values)
        return
    for one in full:
        sql = one.table.statement(one.columns, one.key) + one.suffix
        await database.client().run_many(sql, [tuple(row.values()) for row in one.rows])


class Table:
    """A table's name and the PostgreSQL types of the columns that are written in batches."""

    def __init__(self, name: str, /, **columns: str) -> None:
        self.name = name
        self._types = columns

    def inserting(
        self, rows: Iterable[dict[str, Any]], *, or_ignore: bool = False, or_update: str = ""
    ) -> Write:
        """Rows to insert, which all have the same columns.

        `or_ignore` skips those that exist; `or_update` says what to do with them instead, as in
        `(key) DO UPDATE SET total = some_table.total + excluded.total`.
        """
        batch = list(rows)
        suffix = " ON CONFLICT DO NOTHING" if or_ignore else ""
        if or_update:
            suffix = f" ON CONFLICT {or_update}"
        return Write(self, tuple(batch[0]) if batch else (), batch, suffix=suffix)

    def updating(self, rows: Iterable[dict[str, Any]], *, key: Sequence[str]) -> Write:
        """New values for the other columns of the rows that `key` names; all have the same."""
        batch = list(rows)
        return Write(self, tuple(batch[0]) if batch else (), batch, key=tuple(key))

    async def insert(
        self, rows: Iterable[dict[str, Any]], *, or_ignore: bool = False, or_update: str = ""
    ) -> None:
        """Insert rows, see `inserting`."""
        await write_together([self.inserting(rows, or_ignore=or_ignore, or_update=or_update)])

    async def update(self, rows: Iterable[dict[str, Any]], *, key: Sequence[str]) -> None:
        """Update rows, see `updating`."""
        await write_together([self.updating(rows, key=key)])

    def of_arrays(self, columns: tuple[str, ...], key: tuple[str, ...], *, first: int) -> str:
        """The statement that takes an array for each column, the first one as `$first`."""
        names = ", ".join(columns)
        arrays = ", ".join(f"${i}::{self._types[c]}[]" for i, c in enumerate(columns, first))
        if not key:
            return f"INSERT INTO {self.name} ({names}) SELECT * FROM unnest({arrays})"
        sets = ", ".join(f"{c} = new.{c}" for c in columns if c not in key)
        match = " AND ".join(f"old.{c} = new.{c}" for c in key)
        return (
            f"UPDATE {self.name} AS old SET {sets} "
            f"FROM unnest({arrays}) AS new ({names}) WHERE {match}"
        )

    @lru_cache(maxsize=64)  # noqa: B019 - tables are module constants, a handful, never freed
    def statement(self, columns: tuple[str, ...], key: tuple[str, ...]) -> str:
        """The statement that takes one row."""
        mark = {column: f"${i}" for i, column in enumerate(columns, 1)}
        if not key:
            names, marks = ", ".join(columns), ", ".join(mark.values())
            return f"INSERT INTO {self.name} ({names}) VALUES ({marks})"
        sets = ", ".join(f"{c} = {mark[c]}" for c in columns if c not in key)
        match = " AND ".join(f"{c} = {mark[c]}" for c in key)
        return f"UPDATE {self.name} SET {sets} WHERE {match}"


@lru_cache(maxsize=256)
def _merged(shape: tuple[tuple[Table, tuple[str, ...], tuple[str, ...], str], ...]) -> str:
    """One statement of all parts: the last one is its body, those before are WITH queries."""
    parts, first = [], 1
    for table, columns, key, suffix in shape:
        parts.append(table.of_arrays(columns, key, first=first) + suffix)
        first += len(columns)
    *before, last = parts
    if not before:
        return last
    return f"WITH {', '.join(f'part_{i} AS ({part})' for i, part in enumerate(before))} {last}"


def _columns(batch: Sequence[dict[str, Any]], columns: tuple[str, ...]) -> list[list[Any]]:
    """The batch turned on its side: one list of values per column."""
    return [[row[column] for row in batch] for column in columns]
