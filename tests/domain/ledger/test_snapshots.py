"""Snapshots: taken by the posting that completes a chapter, and by the migration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.ledger import post
from domain.ledger.snapshots import ends_a_chapter, take_snapshots
from domain.storage import dialect, execute, fetch_all, observed_statements
from migrations.ledger import __path__ as _migrations
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem

pytestmark = pytest.mark.usefixtures("database")


_MIGRATION = Path(_migrations[0], "0003_snapshots_and_due.py").read_text()
BY_MIGRATION = _MIGRATION.partition('_SNAPSHOTS = """')[2].partition('"""')[0]


UNGUARDED = {
    "postgres": ["DROP TRIGGER points_snapshot_append_only ON points_snapshot"],
    "sqlite": [f"DROP TRIGGER points_snapshot_no_{verb}" for verb in ("update", "delete")],
}


async def snapshots() -> list[dict[str, Any]]:
    rows = await fetch_all("SELECT * FROM points_snapshot ORDER BY member_id, seq")
    return [dict(row) for row in rows]


async def told() -> list[tuple[object, ...]]:
    return [
        (row["member_id"], row["seq"], row["available"], row["pending"], row["reaches_back"])
        for row in await snapshots()
    ]


def test_a_chapter_ends_at_each_hundredth_entry() -> None:
    assert not ends_a_chapter(99, entries=99)
    assert ends_a_chapter(100, entries=1)
    assert not ends_a_chapter(101, entries=1)
    assert ends_a_chapter(301, entries=150)


async def test_a_posting_takes_what_it_completes_whatever_its_size() -> None:
    await post([earn(2)] * 99, now=NOW)
    with observed_statements() as plain:
        await post([earn(1, member_id=BOB), redeem(1, member_id=BOB)], now=NOW)
    assert await snapshots() == []
    commands = [earn(3, matures=NOW + days(5), expires=NOW + days(9))] * 250
    others = [earn(1, member_id=BOB)] * 99
    with observed_statements() as completing:
        await post(commands + others, now=NOW + days(1))
    assert len(completing) <= len(plain) + 2
    assert await told() == [
        (ALICE, 100, 198, 3, False),
        (ALICE, 200, 198, 303, False),
        (ALICE, 300, 198, 603, False),
        (BOB, 100, 98, 0, False),
    ]
    later = NOW + days(3)
    await post([earn(1, at=later)] * 51, now=later)
    await post([earn(1, at=later), earn(1, at=NOW - days(3))] * 50, now=later)
    assert await told() == [
        (ALICE, 100, 198, 3, False),
        (ALICE, 200, 198, 303, False),
        (ALICE, 300, 198, 603, False),
        (ALICE, 400, 249, 750, False),
        (ALICE, 500, 349, 750, True),
        (BOB, 100, 98, 0, False),
    ]


async def test_the_migration_takes_those_of_the_histories_that_are_there() -> None:
    for day in range(3):
        at = NOW + days(day)
        await post([earn(2, at=at), earn(1, at=at - days(5), matures=at + days(1))] * 60, now=at)
        await post([redeem(1), earn(5, member_id=BOB, at=at)] * 60, now=at)
    taken = await snapshots()
    assert [(row["seq"], row["available"], row["reaches_back"]) for row in taken] == [
        (100, 100, False),
        (200, 80, True),
        (300, 180, True),
        (400, 200, True),
        (500, 260, True),
        (600, 360, True),
        (100, 500, False),
    ]
    for guard in UNGUARDED[dialect()]:
        await execute(guard)
    await execute("DELETE FROM points_snapshot")
    await execute(BY_MIGRATION)
    assert await snapshots() == taken
    await execute("DELETE FROM points_snapshot")
    await take_snapshots([ALICE, BOB])
    assert await snapshots() == taken
    await take_snapshots([ALICE, BOB])
    assert await snapshots() == taken
