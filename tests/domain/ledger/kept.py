"""All that the ledger keeps, to show that a refusal changed nothing of it."""

from __future__ import annotations

from domain.storage import fetch_all
from tests.graphql.kept import Kept

TABLES = (
    "points_account",
    "points_draw",
    "points_entry",
    "points_entry_text",
    "points_hold",
    "points_lot",
    "points_pin",
    "points_reversal",
    "points_reversed",
    "idempotency",
    "outbox",
)


async def ledger_kept(*tables: str) -> Kept:
    """All rows of these tables, else of all of the ledger's, of the keys and of the events."""
    return {
        table: sorted(str(dict(row)) for row in await fetch_all(f"SELECT * FROM {table}"))
        for table in tables or TABLES
    }


async def accounts_kept() -> Kept:
    """The accounts, whose versions tell of every entry: cheap enough to be asked after each try."""
    return await ledger_kept("points_account")
