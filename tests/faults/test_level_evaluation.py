"""Levels of very many members: linear, no lock held long, killed and resumed to the same levels."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import orjson
import pytest

from domain import storage
from domain.ledger.store import open_books, write_books
from domain.members import ByExternalReference, lock_members, register_external_members
from domain.storage import UNHURRIED
from domain.tiers import Qualifying, members_due, qualify
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.domain.ledger.commands import NOW, SHANGHAI, days
from tests.domain.tiers.levels import three_levels
from tests.repository.tree import ROOT
from tests.servers import PostgresDatabases

pytestmark = [pytest.mark.faults, pytest.mark.soak]

Tally = Callable[[str, int, int], None]

MEMBERS: Final = 1_000_000
MEMBERS_SHORT: Final = 10_000
AT_ONCE: Final = 500
COMPETING_EVERY_S: Final = 0.05
LOCK_S_MAX: Final = 0.1
LINEAR: Final = 0.7
"""Members per second among ten times as many, for one among few."""

LINEAR_SHORT: Final = 0.4
"""Seconds of work on a busy machine say less than minutes."""

LATER: Final = NOW + days(400)
"""When everybody is evaluated: who reached a level NOW has been due for a month."""

# What a member bought, by their number modulo KINDS: points, and days after NOW. Silver asks 1,000,
# gold 5,000; when everybody is evaluated, silver asks 800.
LIVES: Final[Sequence[Sequence[tuple[int, int]]]] = (
    ((500, 60), (350, 70)),  # Lifted when silver asks less.
    ((600, -20), (400, 0)),  # Silver, and nothing since.
    ((600, -20), (400, 0), (799, 30)),  # Silver, and too little since.
    ((600, -20), (400, 0), (800, 30)),  # Silver, kept by what is asked now.
    ((4_600, -20), (400, 0), (900, 30)),  # Gold, and as much since as keeps silver.
    *([((200, -20), (200, -10), (100, 0))] * 35),  # Never above the base.
)
EXPECTED: Final = ("silver", "base", "base", "silver", "silver", *(("base",) * 35))
KINDS: Final = len(LIVES)

LIVED: Final = 10_000
"""So many members live their lives; the others are copies of them, for it takes hours otherwise."""

COPIED: Final = (
    *("member", "member_identity", "points_account", "qualifying_day"),
    *("member_level", "level_term", "level_change"),
)


@pytest.fixture
def databases(
    _postgres_databases: PostgresDatabases | str, report: ClosingReport
) -> PostgresDatabases:
    """Several fresh databases on PostgreSQL."""
    if isinstance(_postgres_databases, str):
        part_is_missing(report, "postgresql", _postgres_databases)
    return _postgres_databases


@pytest.mark.timeout(3_600)
async def test_everybody_is_evaluated_in_linear_time_and_through_a_kill(
    databases: PostgresDatabases,
    report: ClosingReport,
    *,
    full_form: bool,
    tally: Tally,
) -> None:
    members = MEMBERS if full_form else MEMBERS_SHORT
    with databases.fresh() as url:
        await lay_out(url, members // 10)
        few = await evaluated(url)
        undisturbed = await levels_of(url, members // 10)
        few_at_once = await settled_at_once(url, members // 10)
    with databases.fresh() as url:
        await lay_out(url, members)
        runs = await evaluated_with_a_kill(url, members)
        resumed = await levels_of(url, members)
        at_once = await settled_at_once(url, members)

    expected = dict.fromkeys(enumerate(EXPECTED), members // KINDS)
    assert {one: count // 10 for one, count in resumed.items()} == undisturbed
    assert {(kind, code): count for (kind, code, *_), count in resumed.items()} == expected
    _check(report, "levels", few, *runs, among=members, full_form=full_form)
    _check(report, "levels due at once", few_at_once, at_once, among=members, full_form=full_form)
    floor = MEMBERS if full_form else MEMBERS_SHORT
    tally("levels evaluated, to the same through a kill -9", sum(resumed.values()), floor)
    tally("levels settled that were due at one instant", at_once.last["members"], floor)


def _check(
    report: ClosingReport, what: str, few: Run, *runs: Run, among: int, full_form: bool
) -> None:
    """Report the rates among few and among ten times as many, and the locks; and hold them."""
    linear = runs[0].rate / few.rate
    longest = max(run.last["lock_s_max"] for run in (few, *runs))
    long = sum(run.last["locks_long"] for run in (few, *runs))
    locks = sum(run.last["locks"] for run in (few, *runs))
    note = (
        f"{what}: {few.rate:,.0f} members/s among {among // 10:,}, {runs[0].rate:,.0f} among"
        f" {among:,} ({linear:.2f}); of {locks:,} locks {long} over 100 ms, the longest"
        f" {longest * 1000:.0f}"
    )
    report.notes.append(note)
    assert linear >= (LINEAR if full_form else LINEAR_SHORT), note
    if full_form:
        assert longest <= LOCK_S_MAX, note
    else:
        assert long <= locks / 20, note


@dataclass(slots=True)
class Run:
    """An evaluating process, and what it told last."""

    process: asyncio.subprocess.Process
    last: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Members per second."""
        rate: float = self.last["members"] / self.last["seconds"]
        return rate

    async def told(self, *, members: int) -> None:
        """Read on until so many members are evaluated, or to the end."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.last = orjson.loads(line)
            if self.last["members"] >= members:
                return


@asynccontextmanager
async def evaluating(url: str, whose: str = "everybody") -> AsyncIterator[Run]:
    """A process that evaluates, ended with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.evaluating", url, LATER.isoformat(), whose),
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Run(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def evaluated(url: str, whose: str = "everybody") -> Run:
    """One process to its end."""
    async with evaluating(url, whose) as run:
        await run.told(members=sys.maxsize)
        assert run.last["done"]
    return run


async def evaluated_with_a_kill(url: str, members: int) -> list[Run]:
    """Killed far in; another goes on from there, while others want the same members."""
    async with evaluating(url) as first:
        await first.told(members=members * 4 // 5)
        first.process.send_signal(signal.SIGKILL)
        assert await first.process.wait() == -signal.SIGKILL
        assert not first.last["done"]
    async with competing(url):
        second = await evaluated(url)
    both = first.last["members"] + second.last["members"]
    assert members <= both <= members + AT_ONCE, "it went on where the first was killed"
    return [first, second]


async def settled_at_once(url: str, members: int) -> Run:
    """Everybody is due at one instant, as after an upgrade, and is settled."""
    await storage.connect(url, pool=UNHURRIED)
    try:
        await storage.execute(
            "INSERT INTO member_level"
            " (member_id, level_code, since, keep_until, keep_after_day, changes)"
            " SELECT id, 'base', $1, $2, $3, 0 FROM member ON CONFLICT (member_id)"
            " DO UPDATE SET next_review_at = EXCLUDED.next_review_at",
            *(NOW, LATER, LATER.date()),
        )
        await storage.execute("VACUUM ANALYZE member_level")
        row = await storage.fetch_one(
            "SELECT COUNT(*) AS due, COUNT(DISTINCT next_review_at) AS moments FROM member_level"
        )
        assert row is not None
        assert (row["due"], row["moments"]) == (members, 1)
        run = await evaluated(url, "due")
        assert (run.last["members"], run.last["changed"]) == (members, 0)
        assert await members_due(now=LATER) == 0
    finally:
        await storage.close()
    return run


@asynccontextmanager
async def competing(url: str) -> AsyncIterator[None]:
    """Somebody who locks a member now and then, here and there among those who are evaluated."""
    dice, times = random.Random(4), list[float]()
    await storage.connect(url)
    rows = await storage.fetch_all("SELECT member_id FROM member_level ORDER BY 1 DESC LIMIT 2000")

    async def compete() -> None:
        while True:
            began = time.perf_counter()
            await storage.transaction(partial(lock_members, [dice.choice(rows)["member_id"]]))
            times.append(time.perf_counter() - began)
            await asyncio.sleep(COMPETING_EVERY_S)

    task = asyncio.create_task(compete())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await storage.close()
    assert len(times) > 1
    print(f"\n{len(times)} others meanwhile, the slowest waited {max(times) * 1_000:.0f} ms")


async def lay_out(url: str, members: int) -> None:
    """Members with accounts and the purchases of their lives; then silver asks less."""
    await storage.connect(url, pool=UNHURRIED)
    try:
        await three_levels()
        lived = min(members, LIVED)
        for first in range(0, lived, AT_ONCE):
            await _some(range(first, min(first + AT_ONCE, lived)))
        for table in COPIED if members > lived else ():
            await _copy(table, times=members // lived - 1)
        await storage.execute("UPDATE level SET threshold = 800 WHERE code = 'silver'")
        # As autovacuum leaves them; nothing of it runs while members are evaluated.
        await storage.execute("VACUUM ANALYZE")
    finally:
        await storage.close()


async def _copy(table: str, *, times: int) -> None:
    """Write the rows of each member again for so many others, who stand one after another."""
    rows = await storage.fetch_all(
        "SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass"
        " AND attnum > 0 AND NOT attisdropped",
        table,
    )
    columns = [row["name"] for row in rows]
    another = "overlay({}::text PLACING lpad(to_hex(copy), 8, '0') FROM 1 FOR 8)::uuid"
    changed = {
        "id": another.format("t.id"),
        "member_id": another.format("t.member_id"),
        "subject": f"(t.subject::bigint + copy * {LIVED})::text",
    }
    values = ", ".join(changed.get(name, f"t.{name}") for name in columns)
    await storage.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values}"
        f" FROM generate_series(1, {times}) AS copy, {table} AS t ORDER BY copy"
    )


async def _some(numbers: range) -> None:
    references = [ByExternalReference(str(number)) for number in numbers]
    found = await register_external_members(references, now=NOW)

    async def work() -> None:
        await write_books(list((await open_books(found.values(), now=NOW)).values()))
        # Day by day, as they were bought: what comes later counts for what is then held.
        for day in sorted({day for life in LIVES for _, day in life}):
            await qualify(_bought(found, day=day), zone=SHANGHAI, now=NOW + days(max(day, 0)))

    await storage.transaction(work)


def _bought(found: Any, *, day: int) -> list[Qualifying]:
    """What the members bought on a day."""
    return [
        Qualifying(
            member_id=member_id,
            points=points,
            purchases=1,
            amount_fen=points * 100,
            occurred_at=NOW + days(day),
            source_kind="purchase",
        )
        for number, member_id in found.items()
        for points, on in LIVES[int(number) % KINDS]
        if on == day
    ]


async def levels_of(url: str, members: int) -> dict[tuple[Any, ...], int]:
    """How many members of each life have which level, until when, by which terms and history."""
    await storage.connect(url, pool=UNHURRIED)
    try:
        rows = await storage.fetch_all(
            f"""
            SELECT n.kind, n.code, n.until, n.terms, n.history, COUNT(*) AS members
            FROM (
                SELECT CAST(i.subject AS bigint) % {KINDS} AS kind,
                       COALESCE(m.level_code, 'base') AS code, m.keep_until AS until,
                       (SELECT string_agg(t.level_code || t.keep_until, ',' ORDER BY t.keep_until)
                        FROM level_term AS t WHERE t.member_id = m.member_id) AS terms,
                       (SELECT string_agg(c.to_code || c.reason || c.occurred_at, ','
                                          ORDER BY c.seq)
                        FROM level_change AS c WHERE c.member_id = m.member_id) AS history
                FROM member_identity AS i LEFT JOIN member_level AS m ON m.member_id = i.member_id
            ) AS n
            GROUP BY 1, 2, 3, 4, 5
            """
        )
    finally:
        await storage.close()
    assert sum(row["members"] for row in rows) == members
    names = ("kind", "code", "until", "terms", "history")
    return {tuple(row[name] for name in names): row["members"] for row in rows}
