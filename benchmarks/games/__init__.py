"""Batches of rewards over HTTP beside raw SQL that writes the same rows; where the time goes."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.games.pushes import BATCH, command_of
from benchmarks.games.rounds import compare_pushes
from benchmarks.games.stall import open_stall
from benchmarks.ledger import shares
from benchmarks.postgres import Server, connected, serving
from benchmarks.printing import console, print_rounds, print_shares
from domain.games import push_rewards

_BATCHES: Final = 10
_WARM: Final = 2

PARTS: Final = {
    **shares.PARTS,
    "domain.games.pushing.candidates_of": "digests of items",
    "domain.games.pushing.batch_digest": "digests of items",
    "domain.games.pushing.lock_bound": "reading rows",
    "domain.games.pushing.items_of": "reading rows",
    "domain.games.push_decisions.Deciding.decide": "decisions",
    "domain.games.pushing.write_items": "building rows",
    "domain.games.pushing.receipts_of": "receipts",
    "domain.games.pushing.receipts_to_json": "receipts",
    "domain.games.pushing.sign": "receipts",
    "domain.games.pushing.announce": "outbox",
}


async def run() -> None:
    """Print all of it: about a minute."""
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        console.print(f"PostgreSQL {server.version}, durable, one cluster for all\n")
        print_rounds(
            "Rewards pushed (items per second)", await compare_pushes(server, Path(folder))
        )
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        await _print_shares(server, Path(folder))


async def _print_shares(server: Server, folder: Path) -> None:
    with server.databases.fresh() as url:
        async with connected(url):
            stall = await open_stall(url, folder)
            for number in range(_WARM):
                await push_rewards(command_of(stall, number), keys=stall.keys, now=_now())
            with shares.measured(PARTS) as measured:
                for number in range(_WARM, _WARM + _BATCHES):
                    await push_rewards(command_of(stall, number), keys=stall.keys, now=_now())
    print_shares(f"Where the time of a batch of {BATCH} goes, in process", measured.seconds)


def _now() -> datetime:
    return datetime.now(UTC)
