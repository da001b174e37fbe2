"""What a piece of work really sends to PostgreSQL: statements with their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from domain.storage.engines import asyncpg_engine


@dataclass(frozen=True, slots=True)
class Sent:
    """One statement as it was sent. `reads` tells whether its rows were asked for."""

    sql: str
    values: Sequence[Any]
    reads: bool


@contextmanager
def recording() -> Iterator[list[Sent]]:
    """Collect what is sent in transactions inside the block, BEGIN and COMMIT left out."""
    statements: Any = asyncpg_engine._Statements
    fetch, run = statements.fetch_rows, statements.run_statement
    sent: list[Sent] = []

    async def fetch_rows(self: Any, sql: str, values: Sequence[Any]) -> Any:
        sent.append(Sent(sql, values, reads=True))
        return await fetch(self, sql, values)

    async def run_statement(self: Any, sql: str, values: Sequence[Any]) -> int:
        sent.append(Sent(sql, values, reads=False))
        changed: int = await run(self, sql, values)
        return changed

    statements.fetch_rows, statements.run_statement = fetch_rows, run_statement
    try:
        yield sent
    finally:
        statements.fetch_rows, statements.run_statement = fetch, run


async def replay(connection: asyncpg.Connection[Any], sent: Sequence[Sent]) -> None:
    """Send the same again, as one transaction and with nothing around it."""
    await connection.execute("BEGIN")
    for one in sent:
        if one.reads:
            await connection.fetch(one.sql, *one.values)
        else:
            await connection.execute(one.sql, *one.values)
    await connection.execute("COMMIT")
