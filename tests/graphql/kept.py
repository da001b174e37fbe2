"""Everything that the database keeps, to show that a request changed nothing of it."""

from __future__ import annotations

from domain.storage import dialect, fetch_all

Kept = dict[str, list[str]]
"""The rows of each table, as text."""

TABLES = {
    # A partitioned table is read as a whole, not part by part.
    "postgres": "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname",
    # Not SQLite's own counters, which count what was rolled back too, as sequences do.
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    " ORDER BY name",
}


async def everything_kept() -> Kept:
    """All rows of all tables, each as text, sorted."""
    tables = [row["name"] for row in await fetch_all(TABLES[dialect()])]
    assert len(tables) > 20, tables
    # Most tables are empty in most tests: one statement tells which, instead of one for each.
    looks = (f"SELECT '{table}' AS name WHERE EXISTS (SELECT 1 FROM {table})" for table in tables)
    filled = [row["name"] for row in await fetch_all(" UNION ALL ".join(looks))]
    kept: Kept = {table: [] for table in tables}
    for table in filled:
        rows = await fetch_all(f"SELECT * FROM {table}")
        kept[table] = sorted(str(dict(row)) for row in rows)
    return kept


def changed(before: Kept, after: Kept) -> set[str]:
    """The tables in which something changed."""
    return {table for table in before if before[table] != after[table]}
