"""The same Python values come from both databases, through plain statements and through models."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.clock import Clock
from domain.storage import (
    Row,
    Table,
    database_now,
    dialect,
    execute,
    fetch_all,
    fetch_one,
    synchronise_clock,
    transaction,
)
from domain.tiers.models import Level, Perk
from tests.domain.ledger.commands import NOW, tuples

pytestmark = pytest.mark.usefixtures("database")

ID = UUID("01a20561-c68e-7607-9dc0-72a415743b10")
MICROSECOND = timedelta(microseconds=1)
SAMPLE = Table(
    "sample",
    id="uuid",
    at="timestamptz",
    day="date",
    flag="boolean",
    amount="bigint",
    words="text",
    facts="jsonb",
    raw="bytea",
)
VALUES: dict[str, Any] = {
    "id": ID,
    "at": datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=8))),
    "day": date(2028, 2, 29),
    "flag": True,
    "amount": 2**53 - 1,
    "words": "积分 'quoted' $1 ::text 🎁",
    "facts": '{"a": [1, "$2"]}',
    "raw": bytes(range(256)),
}


@pytest.fixture(autouse=True)
async def _sample(database: str) -> None:
    await execute(
        "CREATE TABLE sample (id UUID PRIMARY KEY, at TIMESTAMPTZ, day DATE, flag BOOLEAN, "
        "amount BIGINT, words TEXT, facts JSONB, raw BYTEA)"
    )


async def the_row(sql: str = "SELECT * FROM sample", *values: Any) -> Row:
    row = await fetch_one(sql, *values)
    assert row is not None
    return row


def assert_same(row: Row, **expected: Any) -> None:
    for name, value in expected.items():
        found = orjson.loads(row[name]) if name == "facts" else row[name]
        wanted = orjson.loads(value) if name == "facts" else value
        assert (type(found), found) == (type(wanted), wanted), name


async def test_values_come_back_as_they_went() -> None:
    await SAMPLE.insert([VALUES])
    row = await the_row()
    assert_same(row, **VALUES)
    assert row["at"].utcoffset() == timedelta(0)
    assert isinstance(row["facts"], str)
    # Inside a transaction another connection answers, in the same types.
    assert_same(await transaction(the_row), **VALUES)


async def test_null_comes_back_as_none() -> None:
    await SAMPLE.insert([{**dict.fromkeys(VALUES), "id": ID}])
    assert dict(await the_row()) == {**dict.fromkeys(VALUES), "id": ID}


async def test_types_survive_a_join_a_subquery_and_a_union() -> None:
    await SAMPLE.insert([VALUES])
    row = await the_row(
        "SELECT l.* FROM (SELECT id FROM sample) AS s LEFT JOIN ("
        "  SELECT id, at, day, flag FROM sample WHERE flag"
        "  UNION ALL SELECT id, at, day, flag FROM sample WHERE NOT flag"
        ") AS l ON l.id = s.id"
    )
    assert_same(row, **{name: VALUES[name] for name in ("id", "at", "day", "flag")})


async def test_each_kind_of_value_is_found_by_its_value() -> None:
    await SAMPLE.insert([VALUES])
    for name in ("id", "at", "day", "flag", "amount", "words", "raw"):
        assert len(await fetch_all(f"SELECT 1 FROM sample WHERE {name} = $1", VALUES[name])) == 1
    for name, kind in [("id", "uuid"), ("at", "timestamptz"), ("day", "date"), ("words", "text")]:
        sql = f"SELECT 1 FROM sample WHERE {name} = ANY($1::{kind}[])"
        assert len(await fetch_all(sql, [VALUES[name]])) == 1, name
        assert await fetch_all(sql, []) == []


async def test_moments_compare_as_moments_whatever_their_zone_and_fraction() -> None:
    whole = datetime(2026, 1, 1, tzinfo=UTC)
    for number, moment in enumerate([whole, whole + MICROSECOND, whole - MICROSECOND]):
        await SAMPLE.insert([{"id": UUID(int=number), "at": moment}])
    local = whole.astimezone(timezone(timedelta(hours=8)))
    for operator, expected in {"=": [0], "<": [2], "<=": [0, 2], ">": [1], ">=": [0, 1]}.items():
        rows = await fetch_all(f"SELECT id FROM sample WHERE at {operator} $1 ORDER BY id", local)
        assert [row["id"].int for row in rows] == expected, operator
    ordered = await fetch_all("SELECT id FROM sample ORDER BY at")
    assert [row["id"].int for row in ordered] == [2, 0, 1]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(999, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
async def test_the_first_and_the_last_years_are_moments_too(moment: datetime) -> None:
    await SAMPLE.insert([{"id": ID, "at": moment}])
    assert (await the_row("SELECT at FROM sample WHERE at = $1", moment))["at"] == moment


async def test_a_json_column_is_text_whatever_it_holds() -> None:
    values: list[Any] = [5, -(2**53), "5", "true", None, True, [], {"n": 1}]
    for value in values:
        await execute("DELETE FROM sample")
        await SAMPLE.insert([{"id": ID, "facts": orjson.dumps(value).decode()}])
        facts = (await the_row())["facts"]
        assert isinstance(facts, str)
        assert orjson.loads(facts) == value


async def test_models_and_plain_statements_store_the_same() -> None:
    """An id is the trap: SQLite has no type for it, so both must spell it alike."""
    await Level.create(code="base", rank=0, name_zh="青铜", name_en="Bronze", threshold=0)
    await Perk.create(
        id=ID,
        level_code="base",
        code="p",
        position=0,
        kind="DISCOUNT",
        value="0.9",
        title_zh="折扣",
        title_en="discount",
        description_zh="",
        description_en="",
    )
    row = await the_row("SELECT id, quota FROM perk WHERE id = $1", ID)
    assert_same(row, id=ID, quota=None)
    for plainly_written in (False, True):
        if plainly_written:
            renewed = "UPDATE perk SET id = $1, quota = $2, period = 'DAY'"
            assert await execute(renewed, UUID(int=7), 3) == 1
        known, quota = (UUID(int=7), 3) if plainly_written else (ID, None)
        perk = await Perk.get(id=known)
        assert (perk.id, perk.quota) == (known, quota)
        assert await Perk.filter(id__in=[known]).count() == 1


async def test_tables_write_batches_skip_and_add_up() -> None:
    totals = Table("sample", id="uuid", amount="bigint", words="text")
    one, two = UUID(int=1), UUID(int=2)
    await totals.insert([])
    await totals.insert([{"id": one, "amount": 1, "words": None}])
    await totals.insert(
        [{"id": one, "amount": 9, "words": "x"}, {"id": two, "amount": 2, "words": None}],
        or_ignore=True,
    )
    await totals.insert(
        [{"id": one, "amount": 10}, {"id": two, "amount": 20}],
        or_update="(id) DO UPDATE SET amount = sample.amount + excluded.amount",
    )
    await totals.update(
        [{"words": "b", "id": two}, {"words": "a", "id": one}, {"words": "?", "id": ID}],
        key=("id",),
    )
    rows = await fetch_all("SELECT id, amount, words FROM sample ORDER BY id")
    assert tuples(rows) == [(one, 11, "a"), (two, 22, "b")]


async def test_a_statement_tells_how_many_rows_it_changed() -> None:
    await SAMPLE.insert([{"id": UUID(int=n), "amount": n} for n in range(5)])
    assert await execute("UPDATE sample SET amount = 0 WHERE amount > $1", 2) == 2
    assert await execute("DELETE FROM sample WHERE amount = $1", 99) == 0
    assert await execute("INSERT INTO sample (id) VALUES ($1) ON CONFLICT DO NOTHING", ID) == 1
    assert await execute("INSERT INTO sample (id) VALUES ($1) ON CONFLICT DO NOTHING", ID) == 0
    returned = await fetch_all("DELETE FROM sample WHERE id = $1 RETURNING id", ID)
    assert [row["id"] for row in returned] == [ID]


async def test_the_clock_follows_the_database() -> None:
    before, seen, after = datetime.now(UTC), await database_now(), datetime.now(UTC)
    # The database runs on this machine; SQLite tells milliseconds.
    assert before - timedelta(milliseconds=1) <= seen <= after
    assert seen.utcoffset() == timedelta(0)
    clock = Clock()
    clock.correct(database_now=NOW)
    assert clock.now() < NOW + timedelta(seconds=10)
    await synchronise_clock(clock)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
    assert dialect() in {"postgres", "sqlite"}
