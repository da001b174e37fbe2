"""A page deep in a history of 10^5 entries, or of a kind rare in it, reads what any page does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any

import orjson
import pytest

from domain import storage
from domain.ledger import EntryKind, entries_of, journal, lots_of
from domain.paging import PageRequest
from domain.storage import execute, fetch_all, observed_statements
from tests.closing import ClosingReport
from tests.domain.ledger.commands import ALICE, NOW

ENTRIES = 100_000
EVERY = 5_000
"""One in so many entries is rare."""

RARE = EntryKind.TRANSFER_IN
PAGE = 20

_ZERO = f"decode('{'00' * 32}', 'hex')"
_NUMBERS = f"FROM generate_series(1, {ENTRIES}) AS n"
_HISTORY = (
    f"""
    INSERT INTO points_entry (
        member_id, seq, kind, amount, available_change, pending_change, held_change, debt_change,
        balance_after, effective_at, recorded_at, source_kind, text_commitment, content_hash, hash
    )
    SELECT '{ALICE}', n,
           CASE WHEN n % {EVERY} = 1 THEN '{RARE}' WHEN n % 2 = 1 THEN 'EARN' ELSE 'REDEEM' END,
           1 - 2 * (1 - n % 2), 1 - 2 * (1 - n % 2), 0, 0, 0,
           n % 2, '{NOW}', '{NOW}', 'bulk', {_ZERO}, {_ZERO}, {_ZERO}
    {_NUMBERS}
    """,
    f"""
    INSERT INTO points_entry_text (member_id, seq, reference, salt)
    SELECT '{ALICE}', n, 'order ' || n, decode('{"00" * 16}', 'hex') {_NUMBERS}
    """,
    f"""
    INSERT INTO points_lot (
        member_id, lot_seq, entry_seq, earned, remaining, pinned, pending, earned_at, matures_at,
        expires_at
    )
    SELECT '{ALICE}', n, n, 1, 0, 0, FALSE, '{NOW}', '{NOW}', '9999-12-31'
    {_NUMBERS} WHERE n % 2 = 1
    """,
    f"""
    INSERT INTO points_draw (member_id, entry_seq, lot_seq, amount)
    SELECT '{ALICE}', n, n - 1, 1 {_NUMBERS} WHERE n % 2 = 0
    """,
)


@pytest.fixture
async def _long_history(postgres_url: str) -> AsyncIterator[None]:
    """Alice with 10^5 entries, written as rows: no writer would make them within seconds."""
    await storage.connect(postgres_url)
    for statement in _HISTORY:
        await execute(statement)
    yield
    await storage.close()


def rows_read(plan: dict[str, Any]) -> int:
    """What the scans of a plan looked at, those that a filter threw away included."""
    below = sum(rows_read(one) for one in plan.get("Plans", ()))
    if "Relation Name" not in plan:
        return below
    thrown_away = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    looked_at = plan["Actual Rows"] + sum(plan.get(name, 0) for name in thrown_away)
    return below + int(looked_at * plan["Actual Loops"])


async def rows_of(ask: Callable[[], Awaitable[object]], *values: object) -> int:
    """How many rows are read by the one statement that `ask` sends with `values`."""
    with observed_statements() as statements:
        await ask()
    [statement] = statements
    [row] = await fetch_all(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
    [plan] = orjson.loads(row["QUERY PLAN"])
    return rows_read(plan["Plan"])


def page_before(seq: int | None) -> PageRequest:
    return PageRequest(first=PAGE, after=None if seq is None else (seq,))


async def rows_of_page(before: int | None, kinds: Sequence[EntryKind] = ()) -> int:
    return await rows_of(
        lambda: journal(ALICE, page_before(before), kinds=kinds),
        *(ALICE, before or 2**62, PAGE + 1, *sorted(kinds)),
    )


async def rows_of_lots(newest: int) -> tuple[int, int]:
    """The rows read for the lots of a page, and for as many entries by their numbers."""
    seqs = list(range(newest - PAGE + 1, newest + 1))
    return (
        await rows_of(lambda: lots_of(ALICE, seqs, now=NOW), ALICE, seqs, NOW),
        await rows_of(lambda: entries_of(ALICE, seqs), ALICE, seqs),
    )


async def seconds_of_page(before: int | None, kinds: Sequence[EntryKind] = ()) -> float:
    """The median time of a page."""
    marks = [perf_counter()]
    for _ in range(60):
        await journal(ALICE, page_before(before), kinds=kinds)
        marks.append(perf_counter())
    return median(later - earlier for earlier, later in pairwise(marks))


@pytest.mark.usefixtures("_long_history")
async def test_every_page_reads_as_many_rows_as_the_first(
    report: ClosingReport, tally: Callable[[str, int, int], None]
) -> None:
    # Each entry of a page, and the one that tells whether more follow, with its texts.
    plain = 2 * (PAGE + 1)
    some = (EntryKind.REDEEM, RARE)
    # With the planner's guesses about tables that it never looked at, and with what it knows.
    for prepare in ("SELECT 1", "ANALYZE"):
        await execute(prepare)
        first = await rows_of_page(None)
        assert first == plain
        assert await rows_of_page(300) == first
        assert await rows_of_page(None, [EntryKind.EARN]) == plain + PAGE + 1
        # There are twenty rare ones in all: the page finds them without looking at others.
        assert await rows_of_page(None, [RARE]) == 3 * PAGE
        assert await rows_of_page(3 * EVERY, [RARE]) == 3 * 3
        # Of several kinds, besides what is shown, no more than a page of each.
        for before in (None, 3 * EVERY):
            assert plain < await rows_of_page(before, some) <= plain + len(some) * (PAGE + 1)
        assert await rows_of_page(3 * EVERY, [EntryKind.EXPIRE]) == 0
        assert await rows_of_lots(ENTRIES) == await rows_of_lots(300)
        assert max(await rows_of_lots(300)) <= 3 * PAGE

    ahead = await seconds_of_page(None)
    ratios = {
        "deep in": await seconds_of_page(300) / ahead,
        "of a rare kind": await seconds_of_page(None, [RARE]) / ahead,
        "of two kinds, deep in": await seconds_of_page(3 * EVERY, some) / ahead,
    }
    told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
    report.notes.append(
        f"pages of 10^5 entries read {plain} rows each; time against the first page: {told}"
    )
    # A page that read the history would take a hundred times as long.
    assert max(ratios.values()) < 5, told
    tally("entries in the history that pages are read from", ENTRIES, 100_000)
