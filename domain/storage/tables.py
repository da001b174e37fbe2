"""Writing many rows with one statement, whatever their number.

On PostgreSQL a batch travels as one array per column (`unnest`); on SQLite, which is in process,
`executemany` serves. Either way one call is one statement for the observer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from domain.storage import database


class Table:
    """A table's name and the PostgreSQL types of the columns that are written in batches."""

    def __init__(self, name: str, **columns: str) -> None:
        self.name = name
        self._types = columns

    async def insert(
        self, rows: Iterable[dict[str, Any]], *, or_ignore: bool = False, or_update: str = ""
    ) -> None:
        """Insert rows that all have the same columns.

        `or_ignore` skips those that exist; `or_update` says what to do with them instead, as in
        `(key) DO UPDATE SET total = some_table.total + excluded.total`.
        """
        batch = list(rows)
        if not batch:
            return
        columns = tuple(batch[0])
        suffix = " ON CONFLICT DO NOTHING" if or_ignore else ""
        if or_update:
            suffix = f" ON CONFLICT {or_update}"
        if database.dialect() == "postgres":
            sql = self._insert_arrays(columns) + suffix
            await database.execute(sql, *_columns(batch, columns))
        else:
            sql = self._insert_values(columns) + suffix
            await database.client().run_many(sql, [tuple(row.values()) for row in batch])

    async def update(self, rows: Iterable[dict[str, Any]], *, key: Sequence[str]) -> None:
        """Update the other columns of the rows that `key` names; all rows have the same columns."""
        batch = list(rows)
        if not batch:
            return
        columns = tuple(batch[0])
        if database.dialect() == "postgres":
            sql = self._update_arrays(columns, tuple(key))
            await database.execute(sql, *_columns(batch, columns))
        else:
            sql = self._update_values(columns, tuple(key))
            await database.client().run_many(sql, [tuple(row.values()) for row in batch])

    @lru_cache(maxsize=64)  # noqa: B019 - tables are module constants, a handful, never freed
    def _insert_arrays(self, columns: tuple[str, ...]) -> str:
        names = ", ".join(columns)
        return f"INSERT INTO {self.name} ({names}) SELECT * FROM unnest({self._arrays(columns)})"

    @lru_cache(maxsize=64)  # noqa: B019
    def _insert_values(self, columns: tuple[str, ...]) -> str:
        marks = ", ".join(f"${i}" for i in range(1, len(columns) + 1))
        return f"INSERT INTO {self.name} ({', '.join(columns)}) VALUES ({marks})"

    @lru_cache(maxsize=64)  # noqa: B019
    def _update_arrays(self, columns: tuple[str, ...], key: tuple[str, ...]) -> str:
        sets = ", ".join(f"{c} = new.{c}" for c in columns if c not in key)
        match = " AND ".join(f"old.{c} = new.{c}" for c in key)
        return (
            f"UPDATE {self.name} AS old SET {sets} "
            f"FROM unnest({self._arrays(columns)}) AS new ({', '.join(columns)}) WHERE {match}"
        )

    @lru_cache(maxsize=64)  # noqa: B019
    def _update_values(self, columns: tuple[str, ...], key: tuple[str, ...]) -> str:
        mark = {column: f"${i}" for i, column in enumerate(columns, 1)}
        sets = ", ".join(f"{c} = {mark[c]}" for c in columns if c not in key)
        match = " AND ".join(f"{c} = {mark[c]}" for c in key)
        return f"UPDATE {self.name} SET {sets} WHERE {match}"

    def _arrays(self, columns: tuple[str, ...]) -> str:
        return ", ".join(f"${i}::{self._types[c]}[]" for i, c in enumerate(columns, 1))


def _columns(batch: list[dict[str, Any]], columns: tuple[str, ...]) -> list[list[Any]]:
    """The batch turned on its side: one list of values per column."""
    return [[row[column] for row in batch] for column in columns]
