"""Looking back into a history of 10^5 entries reads what looking back into a short one does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from time import perf_counter
from uuid import UUID

import orjson

from domain import storage
from domain.ledger import look_back
from domain.ledger import reckoning as reckoner
from domain.ledger import time_travel as travel
from domain.ledger.snapshots import CHAPTER, take_snapshots
from domain.storage import execute, fetch_all
from tests.closing import ClosingReport
from tests.domain.ledger.commands import ALICE, BOB, NOW
from tests.domain.ledger.test_long_histories import rows_read

LONG, SHORT = 100_000, 1_000
BACKDATED = 5_000
"""One in so many entries took effect three weeks before it was written."""

_ZERO = f"decode('{'00' * 32}', 'hex')"
_TEMPLATE = f"""
    INSERT INTO points_entry (
        member_id, seq, kind, amount, available_change, pending_change, held_change, debt_change,
        balance_after, effective_at, recorded_at, source_kind, text_commitment, content_hash, hash
    )
    SELECT $1, n, 'EARN', 1, 1, 0, 0, 0, n,
           '{NOW}'::timestamptz + n * interval '1 minute'
             - CASE WHEN n % {BACKDATED} = 0 THEN interval '21 days' ELSE interval '0' END,
           '{NOW}'::timestamptz + n * interval '1 minute',
           'bulk', {_ZERO}, {_ZERO}, {_ZERO}
    FROM generate_series(1, $2::bigint) AS n
"""
_ACCOUNT = f"""
    INSERT INTO points_account (
        member_id, available, pending, held, debt, version, lots, head_hash, next_change_at,
        recorded_at
    )
    SELECT $1, $2::bigint, 0, 0, 0, $2::bigint, 0, {_ZERO}, '9999-12-31',
           '{NOW}'::timestamptz + $2::bigint * interval '1 minute'
"""


async def history(member_id: UUID, length: int) -> None:
    """A point a minute, written as rows; the snapshots are taken as a posting takes them."""
    await execute(_TEMPLATE, member_id, length)
    await execute(_ACCOUNT, member_id, length)
    await take_snapshots([member_id])


def minute(number: float) -> datetime:
    return NOW + timedelta(minutes=number)


async def rows_looked_at(member_id: UUID, *, length: int, at: float, known: float) -> int:
    """The rows that all four statements read, by EXPLAIN."""
    as_of, known_at = minute(at), minute(known)
    past = await look_back(member_id, as_of=as_of, known_at=known_at, now=minute(length))
    asked: list[tuple[str, tuple[object, ...]]] = [
        (reckoner._MOMENTS, (member_id, as_of, as_of)),
        (travel._CHAPTERS, (member_id, as_of, known_at, length)),
        (travel._SUM, (member_id, past.counted, past.as_of)),
        (travel._NEWEST, (member_id, past.counted, past.as_of, 100)),
    ]
    rows = 0
    for statement, values in asked:
        [row] = await fetch_all(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
        [plan] = orjson.loads(row["QUERY PLAN"])
        rows += rows_read(plan["Plan"])
    return rows


async def seconds(member_id: UUID, *, length: int, at: float, known: float) -> float:
    """The median time of looking back."""
    marks = [perf_counter()]
    for _ in range(30):
        await look_back(member_id, as_of=minute(at), known_at=minute(known), now=minute(length))
        marks.append(perf_counter())
    return median(later - earlier for earlier, later in pairwise(marks))


async def test_looking_back_reads_no_history(
    postgres_url: str, report: ClosingReport, tally: Callable[[str, int, int], None]
) -> None:
    await storage.connect(postgres_url, pool=storage.UNHURRIED)
    try:
        await history(ALICE, LONG)
        await history(BOB, SHORT)
        late = 21 * 24 * 60
        for at in (150, 50_049, 99_950):
            # What was written by then, and what was backdated to before then.
            backdated = len(range(BACKDATED, min(at + late, LONG) + 1, BACKDATED))
            backdated -= at // BACKDATED
            past = await look_back(ALICE, as_of=minute(at), now=minute(LONG))
            assert past.points.available == at + backdated
            then = await look_back(ALICE, as_of=minute(at), known_at=minute(at), now=minute(LONG))
            assert then.points.available == at

        await execute("ANALYZE")
        few = await rows_looked_at(BOB, length=SHORT, at=450, known=700)
        most = [
            await rows_looked_at(ALICE, length=LONG, at=at, known=known)
            for at, known in ((450, 700), (50_049, 50_600), (99_950, LONG))
        ]
        # Late in the history six chapters tell of the time three weeks ago: each is looked into.
        back = await rows_looked_at(ALICE, length=LONG, at=450, known=LONG)
        # At most two chapters and the one that is not complete are summed, and as many named.
        assert max(most) < 10 * CHAPTER, (few, most)
        assert max(most) < 3 * few, (few, most)
        assert back < 40 * CHAPTER, back
        ratio = await seconds(ALICE, length=LONG, at=50_049, known=50_600) / await seconds(
            BOB, length=SHORT, at=450, known=700
        )
    finally:
        await storage.close()
    report.notes.append(
        f"looking back into 10^5 entries reads {max(most)} rows, {back} where six chapters of later"
        f" tell of the time too; into 10^3 entries {few}; time as a ratio {ratio:.2f}"
    )
    # A look that read the history would take a hundred times as long.
    assert ratio < 10
    tally("entries in the history that is looked back into", LONG, 100_000)
