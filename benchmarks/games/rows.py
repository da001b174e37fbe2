"""The rows that a batch left in a database, and the raw SQL that writes the very same elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import asyncpg

_TABLES: Final = """
    SELECT c.relname AS name,
           ARRAY(SELECT a.attname::text FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 ORDER BY a.attnum) AS columns,
           ARRAY(SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 ORDER BY a.attnum) AS types,
           ARRAY(SELECT a.attname::text FROM pg_index i
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
                 WHERE i.indrelid = c.oid AND i.indisprimary) AS key
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND NOT c.relispartition
    ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The rows of one table that a batch wrote; `is_new` where it changed none that was there."""

    table: str
    columns: Sequence[str]
    types: Sequence[str]
    key: Sequence[str]
    rows: Sequence[Sequence[Any]]
    is_new: bool

    async def insert(self, connection: asyncpg.Connection[Any]) -> None:
        """Write them in one statement of many rows."""
        places = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(self.types, 1))
        names = ", ".join(self.columns)
        sql = (
            f"INSERT INTO {self.table} ({names}) OVERRIDING SYSTEM VALUE"
            f" SELECT * FROM unnest({places})"
        )
        if not self.is_new:
            moved = [name for name in self.columns if name not in self.key]
            changes = ", ".join(f"{name} = excluded.{name}" for name in moved)
            sql += f" ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {changes}"
        await connection.execute(sql, *map(list, zip(*self.rows, strict=True)))

    async def copy(self, connection: asyncpg.Connection[Any]) -> None:
        """Write them by COPY, where none was there before."""
        if not self.is_new:
            await self.insert(connection)
            return
        await connection.copy_records_to_table(
            self.table, records=self.rows, columns=list(self.columns)
        )


@dataclass(slots=True)
class Watch:
    """Finds what each transaction leaves in a database, one batch after the other."""

    connection: asyncpg.Connection[Any]
    tables: Sequence[Any]
    counts: dict[str, int]
    until: int
    last: Sequence[Written] = ()
    """What the last look found."""

    @classmethod
    async def begin(cls, connection: asyncpg.Connection[Any]) -> Self:
        """Watch from now on."""
        tables = await connection.fetch(_TABLES)
        watch = cls(connection, tables, {}, 0)
        await watch.written()
        return watch

    async def written(self) -> Sequence[Written]:
        """What was written since the last look."""
        found = []
        for table in self.tables:
            name, columns = table["name"], ", ".join(table["columns"])
            rows = await self.connection.fetch(
                f"SELECT {columns} FROM {name} WHERE xmin::text::bigint > $1",
                self.until,
            )
            before = self.counts.get(name, 0)
            self.counts[name] = await self.connection.fetchval(f"SELECT COUNT(*) FROM {name}")
            if rows:
                found.append(
                    Written(
                        table=name,
                        columns=table["columns"],
                        types=table["types"],
                        key=table["key"],
                        rows=[tuple(row) for row in rows],
                        is_new=self.counts[name] == before + len(rows),
                    )
                )
        self.until = await self.connection.fetchval("SELECT txid_current()")
        self.last = found
        return found
