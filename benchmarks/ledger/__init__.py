"""The ledger beside pgbench and beside its own statements; and where its time goes."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.ledger.accounts import open_accounts
from benchmarks.ledger.batches import BATCH, compare_batches
from benchmarks.ledger.postings import batch_of, earn_once, redeem_once
from benchmarks.ledger.scripts import member_id
from benchmarks.ledger.shares import measured
from benchmarks.ledger.singles import compare_singles
from benchmarks.postgres import Server, connected, serving
from benchmarks.printing import console, print_compared, print_shares
from domain import ledger

_MEMBERS = 5_000
_SINGLES = 1_000
_BATCHES = 10


async def run() -> None:
    """Print all of it: about two minutes."""
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        console.print(f"PostgreSQL {server.version}, durable, one cluster for all\n")
        rows = await compare_singles(server, Path(folder))
        rows += await compare_batches(server)
        print_compared("Postings (items per second)", rows)
        await _print_shares(server)


async def _print_shares(server: Server) -> None:
    with server.databases.fresh() as url:
        async with connected(url):
            await open_accounts(_MEMBERS)
            await _post_singles("warm", _SINGLES // 4)
            with measured() as singles:
                await _post_singles("single", _SINGLES)
            with measured() as batches:
                for number in range(_BATCHES):
                    commands = batch_of(number, size=BATCH, members=_MEMBERS)
                    await ledger.post(commands, now=datetime.now(UTC))
    print_shares("Where the time of a single posting goes", singles.seconds)
    print_shares(f"Where the time of a batch of {BATCH} goes", batches.seconds)


async def _post_singles(prefix: str, number: int) -> None:
    for one in range(number):
        work = redeem_once if one % 2 else earn_once
        await work(member_id(2 + one % (_MEMBERS - 2)), f"{prefix}-{one}")
