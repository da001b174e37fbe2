"""Transactions: all or nothing, joined, retried after a lost race, never falsely reported."""

from __future__ import annotations

import asyncio
from traceback import format_exception

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError, TransactionManagementError
from tortoise.transactions import in_transaction

from domain import storage
from domain.storage import (
    PoolSettings,
    TransactionContended,
    dialect,
    execute,
    fetch_one,
    inside_transaction,
    is_unique_violation,
    transaction,
)
from tests.domain.storage.connected import HASTY, add_theme, competitor, connected, themes


@pytest.mark.usefixtures("database")
async def test_work_is_committed_whole_and_its_result_returned() -> None:
    async def work() -> str:
        assert inside_transaction()
        await add_theme("a")
        await add_theme("b")
        return "done"

    assert not inside_transaction()
    assert await transaction(work) == "done"
    assert not inside_transaction()
    assert await themes() == ["a", "b"]


@pytest.mark.usefixtures("database")
async def test_any_exception_rolls_back_everything() -> None:
    async def work() -> None:
        await add_theme("a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transaction(work)
    assert await themes() == []
    assert not inside_transaction()


@pytest.mark.usefixtures("database")
async def test_a_nested_transaction_joins_the_outer_one() -> None:
    async def inner() -> str:
        await add_theme("inner")
        return "joined"

    async def outer_that_fails() -> None:
        assert await transaction(inner) == "joined"
        raise ZeroDivisionError

    async def outer() -> str:
        await add_theme("outer")
        return await transaction(inner)

    with pytest.raises(ZeroDivisionError):
        await transaction(outer_that_fails)
    assert await themes() == []
    assert await transaction(outer) == "joined"
    assert await themes() == ["inner", "outer"]


@pytest.mark.usefixtures("database")
async def test_a_caught_failure_never_loses_what_is_reported_as_done() -> None:
    """PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, and no error."""

    async def work() -> str:
        await add_theme("a")
        with pytest.raises(IntegrityError):
            await add_theme("a")
        return "done"

    if dialect() == "postgres":
        with pytest.raises(TransactionManagementError):
            await transaction(work)
        assert await themes() == []
    else:
        assert await transaction(work) == "done"
        assert await themes() == ["a"]


@pytest.mark.usefixtures("database")
async def test_a_savepoint_mends_a_caught_failure() -> None:
    async def two_of_which_one_exists() -> None:
        async with in_transaction("default"):
            await add_theme("b")
            await add_theme("a")

    async def work() -> str:
        await add_theme("a")
        with pytest.raises(IntegrityError):
            await two_of_which_one_exists()
        await add_theme("c")
        return "done"

    assert await transaction(work) == "done"
    assert await themes() == ["a", "c"]


async def test_a_transaction_that_sqlite_ended_is_not_reported_as_done(sqlite_url: str) -> None:
    async with connected(sqlite_url):
        await execute(
            "CREATE TRIGGER full BEFORE INSERT ON theme WHEN NEW.code = 'b' "
            "BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END"
        )

        async def work() -> None:
            await add_theme("a")
            with pytest.raises(IntegrityError):
                await add_theme("b")

        with pytest.raises(TransactionManagementError, match="rolled back"):
            await transaction(work)
        assert await themes() == []
        await transaction(lambda: add_theme("c"))
        assert await themes() == ["c"]


@pytest.mark.usefixtures("database")
async def test_a_unique_violation_is_tried_four_times_and_then_raised() -> None:
    attempts = []

    async def work() -> None:
        attempts.append(1)
        await add_theme("a")
        await add_theme("a")

    with pytest.raises(IntegrityError) as failure:
        await transaction(work)
    assert is_unique_violation(failure.value)
    assert len(attempts) == 4
    assert await themes() == []


@pytest.mark.usefixtures("database")
async def test_a_broken_check_is_raised_at_once() -> None:
    attempts = []

    async def work() -> None:
        attempts.append(1)
        await add_theme("")

    with pytest.raises(IntegrityError) as failure:
        await transaction(work)
    assert not is_unique_violation(failure.value)
    assert len(attempts) == 1


async def test_work_that_a_competitor_overtook_runs_again_and_sees_its_row(
    postgres_url: str,
) -> None:
    async with connected(postgres_url), competitor(postgres_url) as beside:
        seen: list[bool] = []

        async def work() -> str:
            found = await fetch_one("SELECT name_en FROM theme WHERE code = 'a'")
            seen.append(found is not None)
            if found is not None:
                return str(found["name_en"])
            await beside.write("INSERT INTO theme VALUES ('a', 'x', 'the competitor''s')")
            await beside.commit()
            await add_theme("a")
            return "mine"

        assert await transaction(work) == "the competitor's"
        assert seen == [False, True]


async def test_who_waited_long_for_a_row_that_was_first_runs_again_all_the_same(
    postgres_url: str,
) -> None:
    """A crowd that waits for one winner's commit waits for as long as that takes."""
    no_time = PoolSettings(retry_within_s=0.0)
    async with connected(postgres_url, no_time), competitor(postgres_url) as beside:
        seen: list[bool] = []

        async def work() -> str:
            found = await fetch_one("SELECT name_en FROM theme WHERE code = 'a'")
            seen.append(found is not None)
            if found is None:
                await beside.write("INSERT INTO theme VALUES ('a', 'x', 'the winner''s')")
                await beside.commit()
                await add_theme("a")
            return "replayed"

        assert await transaction(work) == "replayed"
        assert seen == [False, True]


async def test_who_lost_a_lock_does_not_run_again_once_its_time_is_over(postgres_url: str) -> None:
    no_time = PoolSettings(retry_within_s=0.0, lock_timeout_ms=25)
    async with connected(postgres_url, no_time), competitor(postgres_url) as beside:
        await add_theme("a")
        attempts: list[int] = []

        async def work() -> None:
            attempts.append(1)
            await execute("UPDATE theme SET name_en = 'mine'")

        await beside.write("UPDATE theme SET name_en = 'held'")
        with pytest.raises(TransactionContended):
            await transaction(work)
        assert len(attempts) == 1
        await beside.commit()


async def test_of_two_that_deadlock_one_runs_again(postgres_url: str) -> None:
    """A real deadlock: each holds what the other wants, and the server ends one of them."""
    patient = PoolSettings(lock_timeout_ms=20_000, statement_timeout_ms=20_000)
    async with connected(postgres_url, patient):
        await add_theme("a")
        await add_theme("b")
        met = asyncio.Barrier(2)
        failures: list[str] = []
        attempts: list[str] = []

        async def rename(first: str, second: str) -> None:
            attempts.append(first)
            await execute("UPDATE theme SET name_en = name_en || $2 WHERE code = $1", first, first)
            if len(attempts) <= 2:
                await met.wait()
            try:
                await execute(
                    "UPDATE theme SET name_en = name_en || $2 WHERE code = $1", second, first
                )
            except asyncpg.DeadlockDetectedError as deadlock:
                failures.append(type(deadlock).__name__)
                raise

        await asyncio.gather(
            transaction(lambda: rename("a", "b")), transaction(lambda: rename("b", "a"))
        )
        assert failures == ["DeadlockDetectedError"]
        assert sorted(attempts[:2]) == ["a", "b"]
        assert len(attempts) == 3
        rows = await storage.fetch_all("SELECT name_en FROM theme")
        # Both took effect on both rows, once each.
        assert sorted("".join(sorted(row["name_en"])) for row in rows) == ["aab", "abb"]


async def test_what_keeps_losing_is_told_to_try_later(database_url: str) -> None:
    async with connected(database_url, HASTY), competitor(database_url) as beside:
        await add_theme("a")
        attempts: list[int] = []

        async def work() -> None:
            attempts.append(len(attempts) + 1)
            await execute("UPDATE theme SET name_en = 'mine'")

        await beside.write("UPDATE theme SET name_zh = 'held'")
        with pytest.raises(TransactionContended) as contended:
            await transaction(work)
        assert contended.value.__cause__ is not None
        # On SQLite the transaction does not even begin while another process writes.
        assert attempts == ([1, 2, 3, 4] if dialect() == "postgres" else [])
        await beside.commit()
        await transaction(work)
        row = await fetch_one("SELECT name_zh, name_en FROM theme")
        assert row is not None
        assert dict(row) == {"name_zh": "held", "name_en": "mine"}


async def test_work_that_lost_a_lock_runs_again_and_wins(postgres_url: str) -> None:
    async with connected(postgres_url, HASTY), competitor(postgres_url) as beside:
        await add_theme("a")
        attempts: list[int] = []

        async def work() -> None:
            attempts.append(len(attempts) + 1)
            if len(attempts) == 3:
                await beside.commit()
            await execute("UPDATE theme SET name_en = name_en || '!'")

        await beside.write("UPDATE theme SET name_en = 'held'")
        await transaction(work)
        assert attempts == [1, 2, 3]
        row = await fetch_one("SELECT name_en FROM theme")
        assert row is not None
        assert row["name_en"] == "held!"


@pytest.mark.usefixtures("database")
async def test_what_is_refused_is_not_quoted() -> None:
    """Errors end in logs, and a row that a constraint refuses tells of somebody."""
    await execute("CREATE TABLE told (name TEXT UNIQUE, born TEXT NOT NULL)")
    await execute("INSERT INTO told (name, born) VALUES ($1, $2)", "qz7canary", "1987-06-05")
    for name, born in (("qz7canary", "1987-06-05"), ("qz8canary", None)):
        with pytest.raises(IntegrityError) as refused:
            await execute("INSERT INTO told (name, born) VALUES ($1, $2)", name, born)
        logged = "".join(format_exception(refused.value))
        assert "constraint" in logged
        assert [one for one in ("canary", "1987") if one in logged] == []
