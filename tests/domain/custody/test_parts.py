"""Every table that is keyed by a member is declared once, and as the database has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from domain.custody import PARTS
from domain.storage import Blank, Erasing, MemberTable, dialect, execute, fetch_all

DECLARED = [table for _, tables in PARTS for table in tables]

# Columns that hold a member's id under another name, in tables that have no `member_id`.
NAMED_OTHERWISE = {"member": "id"}


@dataclass(frozen=True, slots=True)
class Columns:
    """A table as the database has it."""

    names: frozenset[str]
    primary_key: tuple[str, ...]


_TABLES = {
    "postgres": "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " AND relkind IN ('r', 'p') AND NOT relispartition",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
}
_COLUMNS = {
    "postgres": """
        SELECT a.attname AS name,
               COALESCE(array_position(i.indkey::smallint[], a.attnum) + 1, 0) AS pk
        FROM pg_attribute AS a
        LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
        WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
    """,
    "sqlite": "SELECT name, pk FROM pragma_table_info($1)",
}


async def catalogue() -> Mapping[str, Columns]:
    """All tables of the database that is connected."""
    found = {}
    for table in [row["name"] for row in await fetch_all(_TABLES[dialect()])]:
        rows = await fetch_all(_COLUMNS[dialect()], table)
        key = sorted((row["pk"], row["name"]) for row in rows if row["pk"])
        found[table] = Columns(
            names=frozenset(row["name"] for row in rows), primary_key=tuple(name for _, name in key)
        )
    assert len(found) > 30
    return found


def keyed_by_a_member(tables: Mapping[str, Columns]) -> set[str]:
    """Those whose rows belong to somebody."""
    return {name for name, table in tables.items() if "member_id" in table.names} | {
        name for name in NAMED_OTHERWISE if name in tables
    }


def undeclared(tables: Mapping[str, Columns]) -> set[str]:
    """Tables that are keyed by a member, and that no context declared."""
    return keyed_by_a_member(tables) - {table.name for table in DECLARED}


def misfits(declared: MemberTable, table: Columns) -> list[str]:
    """What a declaration says of a table that is not so."""
    blanked = declared.erasing.columns if isinstance(declared.erasing, Blank) else {}
    named = [declared.member_column, *declared.key, *declared.told, *blanked]
    found = [f"{declared.name} has no column {name}" for name in named if name not in table.names]
    # Pages are read in the order of the key, so it must name each row.
    if not set(table.primary_key) <= {declared.member_column, *declared.key}:
        found.append(f"{declared.name} has the key {table.primary_key}")
    return found


async def test_every_table_that_is_keyed_by_a_member_is_declared_once(database: str) -> None:
    tables = await catalogue()
    assert undeclared(tables) == set(), "declare them in MEMBER_TABLES of their context"
    assert {table.name for table in DECLARED} - keyed_by_a_member(tables) == set()
    assert [name for name, times in Counter(t.name for t in DECLARED).items() if times > 1] == []


async def test_what_is_declared_is_as_the_database_has_it(database: str) -> None:
    tables = await catalogue()
    assert [wrong for one in DECLARED for wrong in misfits(one, tables[one.name])] == []


async def test_a_context_that_forgets_to_join_is_named(database: str) -> None:
    await execute("CREATE TABLE parcel (member_id UUID NOT NULL PRIMARY KEY, street TEXT)")
    assert undeclared(await catalogue()) == {"parcel"}


async def test_a_declaration_that_does_not_fit_is_named(database: str) -> None:
    table = MemberTable(
        name="points_pin",
        key=("hold_id",),
        erasing=Blank({"colour": "''"}),
        merging=DECLARED[0].merging,
        told=("amount",),
    )
    assert misfits(table, (await catalogue())["points_pin"]) == [
        "points_pin has no column colour",
        "points_pin has the key ('member_id', 'hold_id', 'lot_seq')",
    ]


def test_nothing_is_kept_that_tells_who_it_was() -> None:
    """What stays after an erasure is named here by hand: somebody has to have thought about it."""
    kept = {table.name for table in DECLARED if table.erasing is Erasing.KEEP}
    assert kept == KEPT


# Numbers, moments, codes and ids alone: no word of a person or about one.
KEPT = {
    "erasure",
    "level_change",
    "member_level",
    "points_account",
    "points_audited",
    "points_draw",
    "points_entry",
    "points_lot",
    "points_lot_origin",
    "points_merge",
    "points_pin",
    "points_reversal",
    "points_reversed",
    "points_snapshot",
    "points_transferred",
    "purchase",
    "purchase_line",
    "qualifying_day",
}
