"""Both databases hold exactly what catalogue.txt says, and the comparison names what differs."""

from __future__ import annotations

import sqlite3

import asyncpg
import pytest

from tests.repository.catalogue import (
    Facts,
    differences,
    expected,
    facts_of_postgres,
    facts_of_sqlite,
)

MONEY = "CHECK (available BETWEEN 0 AND 9007199254740991)"


def path_of(sqlite_url: str) -> str:
    return sqlite_url.removeprefix("sqlite://")


async def differences_after(postgres_url: str, statement: str) -> list[str]:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(statement)
    await connection.close()
    return differences(expected("postgres"), await facts_of_postgres(postgres_url))


def test_sqlite_holds_what_is_expected(sqlite_url: str) -> None:
    assert differences(expected("sqlite"), facts_of_sqlite(path_of(sqlite_url))) == []


async def test_postgresql_holds_what_is_expected(postgres_url: str) -> None:
    assert differences(expected("postgres"), await facts_of_postgres(postgres_url)) == []


def test_every_kind_of_fact_is_expected_somewhere() -> None:
    def count(facts: Facts, words: str) -> int:
        return sum(words in fact for lines in facts.values() for fact in lines)

    postgres, sqlite = expected("postgres"), expected("sqlite")
    functions = {"refuse_change()", "guard_audit_head()"}
    assert postgres.keys() - sqlite.keys() == functions
    assert sqlite.keys() <= postgres.keys()
    floors = {"CHECK (": 80, "PRIMARY KEY (": 30, "UNIQUE (": 12, "FOREIGN KEY (": 8, "INDEX ": 9}
    for kind, floor in floors.items():
        assert count(postgres, kind) == count(sqlite, kind) >= floor, kind
    assert count(postgres, "PARTITION BY HASH") == count(sqlite, "WITHOUT ROWID") == 9
    assert count(postgres, "TRIGGER ") == 22
    assert count(sqlite, "TRIGGER ") == 19


# What is done to PostgreSQL, and what the comparison says of it.
PLANTED: dict[str, tuple[str, list[str]]] = {
    "a CHECK is dropped": (
        "ALTER TABLE points_account DROP CONSTRAINT points_account_available_check",
        [f"points_account: lacks {MONEY}"],
    ),
    "a CHECK is weakened": (
        "ALTER TABLE points_account DROP CONSTRAINT points_account_debt_check, "
        "ADD CONSTRAINT points_account_debt_check CHECK (debt >= 0)",
        [
            "points_account: lacks CHECK (debt BETWEEN 0 AND 9007199254740991)",
            "points_account: has unexpected CONSTRAINT points_account_debt_check "
            "CHECK ((debt >= 0))",
        ],
    ),
    "a CHECK is not validated": (
        "ALTER TABLE perk DROP CONSTRAINT perk_quota_check, "
        "ADD CONSTRAINT perk_quota_check CHECK (quota > 0) NOT VALID",
        [
            "perk: lacks CHECK (quota > 0)",
            "perk: has unexpected CONSTRAINT perk_quota_check CHECK ((quota > 0)) NOT VALID",
        ],
    ),
    "a named CHECK is renamed": (
        "ALTER TABLE points_lot RENAME CONSTRAINT points_lot_pinned TO pinned",
        [
            "points_lot: lacks CONSTRAINT points_lot_pinned CHECK (pinned BETWEEN 0 AND remaining)",
            "points_lot: has unexpected CONSTRAINT pinned "
            "CHECK (((pinned >= 0) AND (pinned <= remaining)))",
        ],
    ),
    "a UNIQUE is dropped": (
        "ALTER TABLE member_identity DROP CONSTRAINT member_identity_kind_subject_app_id_key",
        ["member_identity: lacks UNIQUE (kind, subject, app_id)"],
    ),
    "the key of keys is dropped": (
        "ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey",
        ["idempotency: lacks PRIMARY KEY (scope, key)"],
    ),
    "a FOREIGN KEY is dropped": (
        "ALTER TABLE points_pin DROP CONSTRAINT points_pin_member_id_hold_id_fkey",
        [
            "points_pin: lacks FOREIGN KEY (member_id, hold_id) "
            "REFERENCES points_hold (member_id, hold_id)"
        ],
    ),
    "an index is dropped": (
        "DROP INDEX purchase_placed",
        ["purchase: lacks INDEX purchase_placed (member_id, placed_at, id)"],
    ),
    "an index has another predicate": (
        "DROP INDEX points_lot_open; CREATE INDEX points_lot_open "
        "ON points_lot (member_id, expires_at, lot_seq) WHERE remaining > 0",
        [
            "points_lot: lacks INDEX points_lot_open (member_id, expires_at, lot_seq) "
            "WHERE remaining > pinned",
            "points_lot: has unexpected INDEX points_lot_open (member_id, expires_at, lot_seq) "
            "WHERE (remaining > 0)",
        ],
    ),
    "an index is added": (
        "CREATE UNIQUE INDEX more ON coupon (member_id)",
        ["coupon: has unexpected UNIQUE INDEX more (member_id)"],
    ),
    "a column may be null": (
        "ALTER TABLE points_lot ALTER COLUMN pinned DROP NOT NULL",
        [
            "points_lot: lacks pinned BIGINT NOT NULL",
            "points_lot: has unexpected pinned BIGINT",
        ],
    ),
    "a column has another type and a default": (
        "ALTER TABLE coupon ALTER COLUMN title_zh TYPE VARCHAR(9), ALTER title_zh SET DEFAULT ''",
        [
            "coupon: lacks title_zh TEXT NOT NULL",
            "coupon: has unexpected title_zh VARCHAR(9) NOT NULL DEFAULT ''::character varying",
        ],
    ),
    "a trigger is disabled": (
        "ALTER TABLE level_change DISABLE TRIGGER level_change_no_truncate",
        [
            "level_change: lacks TRIGGER level_change_no_truncate BEFORE TRUNCATE "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
            "level_change: has unexpected DISABLED TRIGGER level_change_no_truncate "
            "BEFORE TRUNCATE FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        ],
    ),
    "a table is added": (
        "CREATE TABLE more (id UUID)",
        ["more: has unexpected id UUID"],
    ),
    "a view shows something else": (
        "DROP VIEW product_card; CREATE VIEW product_card AS SELECT id FROM product",
        ["product_card: lacks code TEXT", "product_card: has unexpected AS SELECT"],
    ),
    "the guard refuses nothing": (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "AS $$BEGIN RETURN NEW; END$$",
        ["refuse_change(): lacks BEGIN RAISE", "refuse_change(): has unexpected BEGIN RETURN NEW;"],
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
async def test_what_differs_on_postgresql_is_named(planted: str, postgres_url: str) -> None:
    statement, complaints = PLANTED[planted]
    found = await differences_after(postgres_url, statement)
    for complaint in complaints:
        assert any(line.startswith(complaint) for line in found), found
    if not planted.startswith("a view"):
        assert len(found) == len(complaints)


async def test_the_missing_guard_of_one_partition_is_named(postgres_url: str) -> None:
    found = await differences_after(
        postgres_url, "DROP TRIGGER points_draw_p3_no_truncate ON points_draw_p3"
    )
    parts = [line.split(" TRIGGER")[0] for line in found]
    assert parts == [
        "points_draw: lacks EACH PART",
        *(f"points_draw: has unexpected _p{part}" for part in (0, 1, 2, 4, 5, 6, 7)),
    ]


async def test_a_missing_partition_is_named(postgres_url: str) -> None:
    found = await differences_after(postgres_url, "DROP TABLE purchase_line_p5")
    assert found[0] == "purchase_line: lacks PARTITION BY HASH (member_id) IN 8 PARTS"
    assert "remainder 5" not in found[1]
    assert len(found) == 2


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        (
            f"UPDATE sqlite_master SET sql = replace(sql, '{MONEY}', '')",
            f"points_account: lacks {MONEY}",
        ),
        ("DROP TRIGGER points_entry_no_delete", "points_entry: lacks TRIGGER points_entry_no_del"),
        (
            "DROP INDEX points_hold_open",
            "points_hold: lacks INDEX points_hold_open (member_id",
        ),
        (
            "UPDATE sqlite_master SET sql = replace(sql, 'salt BYTEA NOT NULL', 'salt BYTEA')",
            "points_entry_text: lacks salt BYTEA NOT NULL",
        ),
        ("CREATE TABLE more (id UUID)", "more: has unexpected id UUID"),
        ("ALTER TABLE member ADD COLUMN more TEXT", "member: has unexpected more TEXT"),
        ("DROP VIEW product_card", "product_card: lacks id UUID"),
    ],
)
def test_what_differs_on_sqlite_is_named(statement: str, complaint: str, sqlite_url: str) -> None:
    connection = sqlite3.connect(path_of(sqlite_url), isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(statement)
    connection.close()
    found = differences(expected("sqlite"), facts_of_sqlite(path_of(sqlite_url)))
    assert found[0].startswith(complaint)
