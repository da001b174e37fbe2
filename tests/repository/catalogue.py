"""The catalogue of a database as facts, one line each, and what catalogue.txt expects of it.

A fact belongs to a table, a view or a function: a column, a constraint, an index, a trigger, how
it is partitioned. Expressions are compared as the database understands them: PostgreSQL is asked
how it would print the expected one; SQLite keeps the words of the migration.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import asyncpg

Engine = Literal["postgres", "sqlite"]
Facts = dict[str, list[str]]

EXPECTED = Path(__file__).with_name("catalogue.txt")
_TYPES = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ", "CHARACTER VARYING": "VARCHAR"}


def expected(engine: Engine) -> Facts:
    """What stands in catalogue.txt for this database."""
    facts: Facts = {}
    for line in EXPECTED.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            lines = facts.setdefault(line, [])
        elif line.startswith(" " * 8):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line.strip())
    other = {"postgres": "[sqlite] ", "sqlite": "[postgres] "}[engine]
    kept = {
        owner: [line.removeprefix(f"[{engine}] ") for line in lines if not line.startswith(other)]
        for owner, lines in facts.items()
    }
    return {owner: lines for owner, lines in kept.items() if lines}


def differences(wanted: Facts, found: Facts) -> list[str]:
    """What is missing and what nobody expected, each by its name."""
    return [
        f"{owner}: {word} {fact}"
        for word, one, other in (("lacks", wanted, found), ("has unexpected", found, wanted))
        for owner in sorted(one)
        for fact in one[owner]
        if fact not in other.get(owner, [])
    ]


def facts_of_sqlite(path: str) -> Facts:
    """The catalogue of a SQLite file."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        facts: Facts = defaultdict(list)
        objects = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master "
            "WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
        ).fetchall()
        for found in objects:
            sql = squashed(found["sql"])
            if found["type"] in {"table", "view"}:
                facts[found["name"]].extend(_sqlite_table(connection, found["name"], sql=sql))
            else:  # An index or a trigger.
                fact = sql.removeprefix("CREATE ").replace(f" ON {found['tbl_name']} ", " ")
                facts[found["tbl_name"]].append(fact)
        return dict(facts)
    finally:
        connection.close()


def _sqlite_table(connection: sqlite3.Connection, table: str, *, sql: str) -> Iterator[str]:
    def rows(pragma: str, name: str = table) -> list[Any]:
        return connection.execute(f"PRAGMA {pragma}({name})").fetchall()

    columns = rows("table_xinfo")
    for column in columns:
        default = f" DEFAULT {column['dflt_value']}" if column["dflt_value"] else ""
        null = " NOT NULL" if column["notnull"] else ""
        made = _generated(column["name"], sql) if column["hidden"] else ""
        yield f"{column['name']} {column['type']}{null}{default}{made}"
    if sql.startswith("CREATE VIEW"):
        yield "AS " + sql.partition(" AS ")[2]
        return
    if key := sorted((c["pk"], c["name"]) for c in columns if c["pk"]):
        yield f"PRIMARY KEY ({', '.join(name for _, name in key)})"
    for index in rows("index_list"):
        if index["origin"] == "u":
            names = [row["name"] for row in rows("index_info", index["name"])]
            yield f"UNIQUE ({', '.join(names)})"
    references: dict[int, list[Any]] = defaultdict(list)
    for row in rows("foreign_key_list"):
        references[row["id"]].append(row)
    for parts in references.values():
        here, there = (", ".join(row[side] for row in parts) for side in ("from", "to"))
        action = parts[0]["on_delete"]
        suffix = "" if action == "NO ACTION" else f" ON DELETE {action}"
        yield f"FOREIGN KEY ({here}) REFERENCES {parts[0]['table']} ({there}){suffix}"
    yield from _checks(sql)
    for words in ("AUTOINCREMENT", "WITHOUT ROWID"):
        if words in sql:
            yield words


def _generated(column: str, sql: str) -> str:
    """How the table makes a column out of others of its row."""
    found = re.search(rf"[(,] {column} [^,]*?( GENERATED ALWAYS AS \([^()]+\) STORED)", sql)
    assert found is not None, f"{column} is hidden, and not generated"
    return found[1]


def _checks(sql: str) -> Iterator[str]:
    """The CHECKs of a CREATE TABLE, with their names where they have one."""
    for found in re.finditer(r"(?:CONSTRAINT (\w+) )?CHECK \(", sql):
        end, depth = found.end(), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        name = f"CONSTRAINT {found[1]} " if found[1] else ""
        yield f"{name}CHECK {sql[found.end() - 1 : end]}"


def squashed(sql: str) -> str:
    """On one line, with single spaces, and none just inside brackets."""
    return re.sub(r"\(\s|\s\)", lambda found: found[0].strip(), " ".join(sql.split()))


async def facts_of_postgres(url: str) -> Facts:
    """The catalogue of a PostgreSQL database."""
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        facts: Facts = defaultdict(list)
        for owner, fact in [
            *await _postgres_columns(connection),
            *await _postgres_constraints(connection),
            *await _postgres_indexes(connection),
            *await _postgres_triggers(connection),
            *await _postgres_others(connection),
        ]:
            facts[owner].append(fact)
        return await _in_expected_words(connection, dict(facts))
    finally:
        await transaction.rollback()
        await connection.close()


_OURS = "c.relnamespace = 'public'::regnamespace AND NOT c.relispartition"


async def _postgres_columns(connection: Any) -> list[tuple[str, str]]:
    rows = await connection.fetch(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull,"
        " a.attidentity::text AS identity, a.attgenerated::text AS generated,"
        " pg_get_expr(d.adbin, d.adrelid) AS initial"
        " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
        " LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum"
        f" WHERE {_OURS} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum"
    )
    facts = []
    for row in rows:
        kind = row["type"].upper()
        for long, short in _TYPES.items():
            kind = kind.replace(long, short)
        null = " NOT NULL" if row["attnotnull"] else ""
        identity = " GENERATED ALWAYS AS IDENTITY" if row["identity"] == "a" else ""
        default = f" DEFAULT {row['initial']}" if row["initial"] else ""
        if row["generated"] == "s":
            default = f" GENERATED ALWAYS AS {row['initial']} STORED"
        facts.append((row["relname"], f"{row['attname']} {kind}{null}{identity}{default}"))
    return facts


async def _postgres_constraints(connection: Any) -> list[tuple[str, str]]:
    rows = await connection.fetch(
        "SELECT c.relname, k.conname, k.contype::text AS kind, pg_get_constraintdef(k.oid) AS text"
        " FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid"
        f" WHERE {_OURS} AND k.contype IN ('p', 'u', 'f', 'c', 'x') ORDER BY k.oid"
    )
    return [
        (row["relname"], f"CONSTRAINT {row['conname']} {row['text']}")
        if row["kind"] in "cx"
        else (row["relname"], re.sub(r"(REFERENCES \w+)\(", r"\1 (", row["text"]))
        for row in rows
    ]


async def _postgres_indexes(connection: Any) -> list[tuple[str, str]]:
    rows = await connection.fetch(
        "SELECT c.relname, x.relname AS name, i.indisunique, i.indisvalid,"
        " (SELECT string_agg(pg_get_indexdef(i.indexrelid, n, TRUE), ', ' ORDER BY n)"
        "  FROM generate_series(1, i.indnkeyatts) AS n) AS columns,"
        " pg_get_expr(i.indpred, i.indrelid) AS predicate"
        " FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid"
        " JOIN pg_class AS x ON x.oid = i.indexrelid"
        f" WHERE {_OURS} AND NOT EXISTS"
        " (SELECT 1 FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype <> 'f')"
        " ORDER BY x.oid"
    )
    return [
        (
            row["relname"],
            ("UNIQUE " if row["indisunique"] else "")
            + ("" if row["indisvalid"] else "INVALID ")
            + f"INDEX {row['name']} ({row['columns']})"
            + (f" WHERE {row['predicate']}" if row["predicate"] else ""),
        )
        for row in rows
    ]


async def _postgres_triggers(connection: Any) -> list[tuple[str, str]]:
    """Those of tables, and those that every partition has."""
    rows = await connection.fetch(
        "SELECT c.relname, p.relname AS parent, t.tgenabled::text AS enabled,"
        " pg_get_triggerdef(t.oid, TRUE) AS text,"
        " (SELECT count(*) FROM pg_inherits AS i WHERE i.inhparent = p.oid) AS parts"
        " FROM pg_trigger AS t"
        " JOIN pg_class AS c ON c.oid = t.tgrelid"
        " LEFT JOIN pg_inherits AS h ON h.inhrelid = c.oid"
        " LEFT JOIN pg_class AS p ON p.oid = h.inhparent"
        " WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal ORDER BY t.oid"
    )
    facts = []
    parts_with: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        on = "" if row["enabled"] == "O" else "DISABLED "
        text = row["text"].removeprefix("CREATE ").replace(f" ON {row['relname']}", "")
        if row["parent"] is None:
            facts.append((row["relname"], f"{on}{text}"))
            continue
        part = row["relname"].removeprefix(row["parent"])
        alike = parts_with[row["parent"], f"{on}{text}".replace(f"{part}_", "_p*_")]
        alike.append(part)
        if len(alike) == row["parts"]:
            alike[:] = ["EACH PART"]
    return facts + [
        (parent, f"{part} {text}") for (parent, text), parts in parts_with.items() for part in parts
    ]


async def _postgres_others(connection: Any) -> list[tuple[str, str]]:
    """Partitions, the definitions of views, functions."""
    partitions = await connection.fetch(
        "SELECT c.relname, pg_get_partkeydef(c.oid) AS key, (SELECT string_agg(DISTINCT"
        "  pg_get_expr(p.relpartbound, p.oid), ' ' ) FROM pg_inherits AS h"
        "  JOIN pg_class AS p ON p.oid = h.inhrelid WHERE h.inhparent = c.oid) AS bounds"
        f" FROM pg_class AS c WHERE {_OURS} AND c.relkind = 'p'"
    )
    views = await connection.fetch(
        "SELECT c.relname, pg_get_viewdef(c.oid) AS text"
        f" FROM pg_class AS c WHERE {_OURS} AND c.relkind IN ('v', 'm')"
    )
    functions = await connection.fetch(
        "SELECT proname || '()' AS name, prosrc FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace"
    )
    return [
        *(
            (row["relname"], f"PARTITION BY {row['key']} {_parts(row['bounds'])}")
            for row in partitions
        ),
        *((row["relname"], "AS " + squashed(row["text"]).rstrip(";")) for row in views),
        *((row["name"], squashed(row["prosrc"])) for row in functions),
    ]


def _parts(bounds: str) -> str:
    """`IN 8 PARTS` for a whole set of hash partitions, else what there is."""
    remainders = [int(found) for found in re.findall(r"remainder (\d+)", bounds)]
    count = len(remainders)
    whole = bounds.count(f"modulus {count},") == count and sorted(remainders) == [*range(count)]
    return f"IN {count} PARTS" if whole else bounds


async def _in_expected_words(connection: Any, found: Facts) -> Facts:
    """Facts with the expected expression in place of what PostgreSQL made of it."""
    spelled: dict[tuple[str, str], str] = {}
    for table, facts in expected("postgres").items():
        if table not in found or table.endswith("()"):
            continue
        await connection.execute(f"CREATE TEMP TABLE probe (LIKE public.{table})")
        for fact in facts:
            if printed := await _printed(connection, fact):
                spelled[table, printed] = fact
        await connection.execute("DROP TABLE probe")
    return {
        table: [
            spelled.get((table, fact)) or spelled.get((table, _unnamed(fact)), fact)
            for fact in facts
        ]
        for table, facts in found.items()
    }


def _unnamed(fact: str) -> str:
    return re.sub(r"^CONSTRAINT \w+ (?=CHECK)", "", fact)


async def _printed(connection: Any, fact: str) -> str | None:
    """How PostgreSQL prints an expected CHECK, partial index or view; None for other facts."""
    if check := re.fullmatch(r"(CONSTRAINT \w+ )?(CHECK .+)", fact):
        await connection.execute(f"ALTER TABLE probe ADD CONSTRAINT probed {check[2]}")
        printed: str = await connection.fetchval(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = 'probe'::regclass AND conname = 'probed'"
        )
        await connection.execute("ALTER TABLE probe DROP CONSTRAINT probed")
        return f"{check[1] or ''}{printed}"
    if index := re.fullmatch(r"((?:UNIQUE )?INDEX \w+ )(\(.+\)) WHERE (.+)", fact):
        await connection.execute(f"CREATE INDEX probed ON probe {index[2]} WHERE {index[3]}")
        predicate = await connection.fetchval(
            "SELECT pg_get_expr(indpred, indrelid) FROM pg_index"
            " WHERE indexrelid = 'probed'::regclass"
        )
        await connection.execute("DROP INDEX probed")
        return f"{index[1]}{index[2]} WHERE {predicate}"
    if fact.startswith("AS SELECT"):
        await connection.execute(f"CREATE TEMP VIEW probed {fact}")
        text = await connection.fetchval("SELECT pg_get_viewdef('probed'::regclass)")
        await connection.execute("DROP VIEW probed")
        return "AS " + squashed(text).rstrip(";")
    return None
