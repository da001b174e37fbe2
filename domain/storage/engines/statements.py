"""What a statement is, whichever database runs it.

Statements are written once, in PostgreSQL's dialect. `for_sqlite` rewrites the few constructs that
SQLite spells otherwise; everything else that a statement uses must be common to both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Protocol


class Row(Protocol):
    """One row: `row["column"]`. UUID, aware UTC datetime, date, bool, int, str and bytes, on both.

    asyncpg's and sqlite3's own rows, as they come; `dict(row)` and `{**row}` copy one.
    """

    def __getitem__(self, column: str, /) -> Any:
        """The value of the column."""
        ...

    def keys(self) -> Any:
        """The names of the columns."""
        ...


class StatementClient(Protocol):
    """What both engines add to Tortoise's clients: plain statements and their rows."""

    async def fetch_rows(self, sql: str, values: Sequence[Any]) -> Sequence[Row]:
        """Run one statement; returns its rows (of SELECT or RETURNING)."""
        ...

    async def run_statement(self, sql: str, values: Sequence[Any]) -> int:
        """Run one statement; returns the number of rows that it changed."""
        ...

    async def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row of values, all or none."""
        ...


_observer: ContextVar[list[str] | None] = ContextVar("statement_observer", default=None)


@contextmanager
def observed_statements() -> Iterator[list[str]]:
    """Collect the text of each statement sent inside the block, by this task and its children."""
    seen: list[str] = []
    token = _observer.set(seen)
    try:
        yield seen
    finally:
        _observer.reset(token)


def note(sql: str) -> None:
    """Tell the observer, where there is one, that a statement is sent."""
    seen = _observer.get()
    if seen is not None:
        seen.append(sql)


_REWRITES = re.compile(
    r"""
    (?P<literal>'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]*)  # left alone, comments too
  | \s*=\s*ANY\s*\(\s*\$(?P<any>\d+)(?:::\w+\[\])?\s*\)  # = ANY($1::uuid[])
  | \$(?P<number>\d+)                                  # $1
  | ::\s*\w+(?:\[\])?                                  # a cast
  | \bFOR\s+(?:(?:NO\s+KEY\s+)?UPDATE|KEY\s+SHARE)(?:\s+SKIP\s+LOCKED)?  # BEGIN IMMEDIATE locks
    """,
    re.VERBOSE | re.IGNORECASE,
)


def _rewrite(match: re.Match[str]) -> str:
    if literal := match["literal"]:
        return literal
    if number := match["any"]:
        return f" IN (SELECT value FROM json_each(?{number}))"
    if number := match["number"]:
        return f"?{number}"
    return ""


@lru_cache(maxsize=2048)
def for_sqlite(sql: str) -> str:
    """The statement as SQLite takes it.

    `$1` becomes `?1` (left as it is, SQLite would number it by first appearance), `= ANY($1::t[])`
    a look-up in a JSON array, casts and row locks disappear. What stands inside quotes and comments
    is left alone.
    """
    return _REWRITES.sub(_rewrite, sql)
