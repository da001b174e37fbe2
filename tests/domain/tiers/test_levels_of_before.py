"""Migration tiers.0003, on a database that has lived: levels of before are held by terms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest

from domain import members, storage
from domain.members import ByExternalReference
from domain.storage import execute, fetch_all, transaction
from domain.tiers import Qualifying, disqualify, due_members, level_codes, qualify, review
from tests.domain.ledger.commands import NOW, days, tuples
from tests.domain.tiers.levels import SHANGHAI

TABLES = (
    *("perk_use", "level_evaluation", "level_term", "level_rules", "member_level"),
    *("level_change", "qualifying_day", "perk", "level"),
)
KEPT = datetime.fromisoformat("2027-03-02T00:00:00+08:00")


def statements_of(*names: str) -> Iterator[str]:
    """What the migrations ran on this database."""
    for name in names:
        migration: Any = import_module(f"migrations.tiers.{name}").Migration
        for operation in migration.operations:
            if hasattr(operation, "_statements"):
                yield from operation._statements
                continue
            yield from operation._both
            yield from (operation._sqlite if storage.dialect() == "sqlite" else operation._postgres)


@pytest.fixture
async def before(database: str) -> None:
    for view in ("member_rank", "level_rank"):
        await execute(f"DROP VIEW {view}")
    for table in TABLES:
        await execute(f"DROP TABLE {table}")
    for statement in statements_of("0001_initial", "0002_reasons"):
        await execute(statement)
    await execute(
        "DELETE FROM tortoise_migrations WHERE app = 'tiers' AND name NOT IN ($1, $2)",
        *("0001_initial", "0002_reasons"),
    )
    for row in (("base", 0, 0), ("silver", 1, 1_000), ("gold", 2, 5_000)):
        await execute(
            "INSERT INTO level (code, rank, name_zh, name_en, threshold)"
            " VALUES ($1, $2, 'x', 'x', $3)",
            *row,
        )


async def lived(member_id: UUID, level: str, reason: str, *, points: int = 1_000) -> None:
    """What a member of before had: points, and a level for some reason."""
    await execute(
        "INSERT INTO member_level VALUES ($1, $2, $3, $4, $5, 1)",
        *(member_id, level, NOW, KEPT, date(2026, 3, 1)),
    )
    await execute(
        "INSERT INTO level_change VALUES ($1, 1, 'base', $2, $3, 1000, 'purchase', $4)",
        *(member_id, level, reason, NOW),
    )
    await execute(
        "INSERT INTO qualifying_day VALUES ($1, $2, $3, 1)",
        *(member_id, date(2026, 3, 1), points),
    )


async def test_levels_of_before_are_held_by_terms(before: None) -> None:
    names = ("earned", "brought", "nothing")
    joined = await members.register_external_members(
        [ByExternalReference(name) for name in names], now=NOW
    )
    earned, brought, nothing = (joined[name] for name in names)
    await lived(earned, "silver", "QUALIFIED")
    await lived(brought, "gold", "IMPORTED")
    await lived(nothing, "base", "PARTED", points=900)
    assert "tiers.0003_level_terms" in await storage.migrate()
    assert await storage.drift() == []
    terms = await fetch_all(
        "SELECT member_id, level_code, kind, keep_until, keep_after_day, basis_after_day,"
        " asked_points FROM level_term ORDER BY level_code DESC"
    )
    same = (KEPT, date(2026, 3, 1), date(2025, 3, 1))
    assert tuples(terms) == [
        (earned, "silver", "QUALIFIED", *same, 1_000),
        (brought, "gold", "IMPORTED", *same, 5_000),
    ]
    # All of before are due at once; then the review knows when they are.
    first = NOW + days(1)
    due = await due_members(now=first, limit=10)
    assert sorted(one for _, one in due) == sorted(joined.values())
    assert await review(list(joined.values()), zone=SHANGHAI, now=first) == []
    assert await due_members(now=first + days(1), limit=10) == []
    # A refund takes what was earned, and nothing of what came along.
    items = [
        Qualifying(member_id=one, points=1, purchases=0, occurred_at=NOW, source_kind="refund")
        for one in joined.values()
    ]
    await transaction(lambda: disqualify(items, zone=SHANGHAI, now=first))
    assert await level_codes([earned, brought]) == {earned: "base", brought: "gold"}
    await transaction(lambda: qualify(items, zone=SHANGHAI, now=first + timedelta(hours=1)))
    assert await level_codes([earned]) == {earned: "silver"}
