"""The sweeper over many lots: linear, no lock held long, killed and resumed, each lot once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import orjson
import pytest

from domain import storage
from domain.ledger import NEVER, Earn, Source, decisions, post_one, verify_account
from domain.ledger.posting import new_salt
from domain.ledger.store import open_books, write_books
from domain.storage import UNHURRIED
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.domain.access.fixtures import NOW
from tests.repository.tree import ROOT
from tests.servers import PostgresDatabases

pytestmark = [pytest.mark.faults, pytest.mark.soak, pytest.mark.quiet]

Tally = Callable[[str, int, int], None]

LOTS: Final = 1_000_000
LOTS_SHORT: Final = 50_000
LOTS_EACH: Final = 10
"""One of a member's lots expires each day, so that their order matters."""

LATER: Final = NOW + timedelta(days=30)
ACCOUNTS_AT_ONCE: Final = 100
VERIFIED: Final = 40
COMPETING_EVERY_S: Final = 0.05
LOCK_S_MAX: Final = 0.1
LINEAR: Final = 0.7
"""Lots per second among ten times as many, for one among few."""

LINEAR_SHORT: Final = 0.4
"""Seconds of work on a busy machine say less than minutes."""


@pytest.fixture
def databases(
    _postgres_databases: PostgresDatabases | str, report: ClosingReport
) -> PostgresDatabases:
    """Several fresh databases on PostgreSQL."""
    if isinstance(_postgres_databases, str):
        part_is_missing(report, "postgresql", _postgres_databases)
    return _postgres_databases


@pytest.mark.timeout(3_600)
async def test_the_sweeper_is_linear_and_survives_kills(
    databases: PostgresDatabases,
    report: ClosingReport,
    *,
    full_form: bool,
    tally: Tally,
) -> None:
    lots = LOTS if full_form else LOTS_SHORT
    with databases.fresh() as url:
        await lay_out(url, lots // 10)
        few = await swept(url)
    with databases.fresh() as url:
        await lay_out(url, lots)
        runs = await swept_with_a_kill(url, lots)
        expired = await expired_once_each(url, lots)

    many = runs[0]
    linear = many.rate / few.rate
    longest = max(run.last["lock_s_max"] for run in (few, *runs))
    long = sum(run.last["locks_long"] for run in (few, *runs))
    locks = sum(run.last["locks"] for run in (few, *runs))
    note = (
        f"sweeper: {few.rate:,.0f} lots/s among {lots // 10:,}, {many.rate:,.0f} among {lots:,}"
        f" ({linear:.2f}); of {locks:,} locks {long} over 100 ms, the longest {longest * 1000:.0f}"
    )
    report.notes.append(note)
    assert linear >= (LINEAR if full_form else LINEAR_SHORT), note
    if full_form:
        assert longest <= LOCK_S_MAX, note
    else:
        assert long <= locks / 20, note
    floor = LOTS if full_form else LOTS_SHORT
    tally("lots swept, each once, through a kill -9 and by two workers", expired, floor)


@dataclass(slots=True)
class Run:
    """A sweeping process, and what it told last."""

    process: asyncio.subprocess.Process
    last: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Lots per second; each is one entry."""
        rate: float = self.last["entries"] / self.last["seconds"]
        return rate

    async def told(self, *, entries: int) -> None:
        """Read on until so many entries are written, or to the end."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.last = orjson.loads(line)
            if self.last["entries"] >= entries:
                return


@asynccontextmanager
async def sweeping(url: str) -> AsyncIterator[Run]:
    """A process that sweeps, ended with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.sweeping", url, LATER.isoformat()),
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


async def swept(url: str) -> Run:
    """One process to its end."""
    async with sweeping(url) as run:
        await run.told(entries=sys.maxsize)
        assert run.last["done"]
    return run


async def swept_with_a_kill(url: str, lots: int) -> list[Run]:
    """Killed far in; two go on from there, while others post to the same accounts."""
    async with sweeping(url) as first:
        await first.told(entries=lots * 4 // 5)
        first.process.send_signal(signal.SIGKILL)
        assert await first.process.wait() == -signal.SIGKILL
        assert not first.last["done"]
    async with competing(url, lots // LOTS_EACH):
        others = await asyncio.gather(swept(url), swept(url))
    assert min(other.last["entries"] for other in others) > 0, "both had a part in it"
    return [first, *others]


@asynccontextmanager
async def competing(url: str, members: int) -> AsyncIterator[None]:
    """Somebody who earns now and then, here and there among the accounts that are swept."""
    dice, times = random.Random(4), list[float]()

    async def compete() -> None:
        number = 0
        while True:
            number += 1
            began = time.perf_counter()
            await post_one(_earning(UUID(int=dice.randint(1, members)), days=None), now=NOW)
            times.append(time.perf_counter() - began)
            await asyncio.sleep(COMPETING_EVERY_S)

    await storage.connect(url)
    task = asyncio.create_task(compete())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await storage.close()
    assert len(times) > 1
    print(f"\n{len(times)} postings meanwhile, the slowest took {max(times) * 1_000:.0f} ms")


async def lay_out(url: str, lots: int) -> None:
    """Members with ten lots each, decided and written as postings are, but told to nobody."""
    await storage.connect(url, pool=UNHURRIED)
    try:
        members = [UUID(int=number) for number in range(1, lots // LOTS_EACH + 1)]
        for first in range(0, len(members), ACCOUNTS_AT_ONCE):
            some = members[first : first + ACCOUNTS_AT_ONCE]
            await storage.transaction(partial(_open_with_lots, some))
        await storage.execute("ANALYZE")
    finally:
        await storage.close()


async def _open_with_lots(members: list[UUID]) -> None:
    books = await open_books(members, now=NOW)
    for book in books.values():
        for days in range(1, LOTS_EACH + 1):
            decisions.earn(book, _earning(book.member_id, days=days), now=NOW, salt=new_salt)
    await write_books(list(books.values()))


def _earning(member_id: UUID, *, days: int | None) -> Earn:
    return Earn(
        member_id=member_id,
        points=5,
        source=Source(kind="fault", reference="lot"),
        effective_at=NOW,
        expires_at=NEVER if days is None else NOW + timedelta(days=days),
    )


async def expired_once_each(url: str, lots: int) -> int:
    """Every lot that was laid out has one draw, of all its points, by one EXPIRE entry.

    Returns how many lots the database drew on.
    """
    await storage.connect(url, pool=UNHURRIED)
    try:
        row = await storage.fetch_one(
            """
            SELECT (SELECT COUNT(*) FROM points_entry WHERE kind = 'EXPIRE') AS entries,
                   (SELECT COUNT(*) FROM points_draw) AS draws,
                   (SELECT COUNT(*) FROM points_draw WHERE amount = 5) AS whole,
                   (SELECT COUNT(*) FROM (SELECT DISTINCT member_id, lot_seq FROM points_draw) AS d)
                       AS drawn_on,
                   (SELECT COUNT(*) FROM points_lot
                    WHERE expires_at < '9999-12-31' AND remaining > 0) AS left_over
            """
        )
        assert row is not None
        assert [row[name] for name in ("entries", "draws", "whole", "left_over")] == [
            *([lots] * 3),
            0,
        ]
        dice = random.Random(5)
        for _ in range(VERIFIED):
            assert await verify_account(UUID(int=dice.randint(1, lots // LOTS_EACH))) == []
        drawn_on: int = row["drawn_on"]
        return drawn_on
    finally:
        await storage.close()
