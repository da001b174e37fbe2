"""Batches of 500 postings, and the very statements of them sent again with nothing around."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from benchmarks.ledger.accounts import open_accounts
from benchmarks.ledger.postings import batch_of
from benchmarks.ledger.recording import Sent, recording, replay
from benchmarks.ledger.scripts import exact_script_of
from benchmarks.postgres import Server, connected
from benchmarks.printing import Compared
from domain import ledger
from domain.ledger import Posted

BATCH: Final = 500
BATCHES: Final = 12
WARM: Final = 2
"""Batches before the clock runs, on both sides."""

MEMBERS: Final = 5_000
GOAL: Final = 0.5


async def compare_batches(server: Server) -> list[Compared]:
    """Items per second: ours, then their statements by asyncpg alone, then by pgbench."""
    sent: list[list[Sent]] = []
    with server.databases.fresh() as ours, server.databases.fresh() as raw:
        for url in (raw, ours):
            async with connected(url):
                await open_accounts(MEMBERS)
        connection = await asyncpg.connect(raw)
        try:
            async with connected(ours):
                seconds = [
                    (await _posted(number, sent), await _replayed(connection, sent[-1]))
                    for number in range(BATCHES)
                ][WARM:]
        finally:
            await connection.close()
    items = BATCH * (BATCHES - WARM)
    rate, by_driver = (items / sum(each) for each in zip(*seconds, strict=True))
    by_pgbench = await _by_pgbench(server, sent)
    what = f"batches of {BATCH}, in process"
    return [
        Compared(what, rate, by_driver, "asyncpg, same SQL and rows", GOAL),
        Compared(what, rate, by_pgbench, "pgbench, same SQL and rows", GOAL),
    ]


async def _posted(number: int, sent: list[list[Sent]]) -> float:
    """The seconds of one batch of ours; what it sent is added."""
    commands = batch_of(number, size=BATCH, members=MEMBERS)
    began = time.perf_counter()
    with recording() as statements:
        outcomes = await ledger.post(commands, now=datetime.now(UTC))
    took = time.perf_counter() - began
    assert all(isinstance(one, Posted) and not one.replayed for one in outcomes)
    sent.append(statements)
    return took


async def _replayed(connection: asyncpg.Connection[Any], statements: list[Sent]) -> float:
    """The seconds of the same batch right afterwards, on a copy of the same database."""
    began = time.perf_counter()
    await replay(connection, statements)
    return time.perf_counter() - began


async def _by_pgbench(server: Server, sent: list[list[Sent]]) -> float:
    """Items per second; the first batches warm its database up in a run of their own."""
    with server.databases.fresh() as url:
        async with connected(url):
            await open_accounts(MEMBERS)
        await server.pgbench(url, exact_script_of(sent[:WARM]), clients=1, prepared=False)
        rate = await server.pgbench(url, exact_script_of(sent[WARM:]), clients=1, prepared=False)
        return rate * BATCH * (BATCHES - WARM)
