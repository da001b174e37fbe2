"""A process that evaluates levels: `python -m tests.faults.evaluating URL NOW WHOSE`.

WHOSE is `everybody`, over whom it walks, or `due`: then it settles those who are. It writes a line
of JSON after each batch, so that whoever kills it knows how far it came.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import datetime

import orjson

from api.memory import keep_what_is_loaded
from domain import storage, tiers
from domain.storage import UNHURRIED
from domain.tiers import Evaluated, LevelWalk
from tests.domain.ledger.commands import SHANGHAI
from tests.faults.sweeping import LockTimes


async def main(url: str, now: str, whose: str) -> None:
    """Evaluate to the end."""
    keep_what_is_loaded()  # As every process that evaluates does.
    times, began = LockTimes("FOR NO KEY UPDATE"), time.perf_counter()
    await storage.connect(url, pool=UNHURRIED)
    leave = storage.listen(times)

    def tell(found: Evaluated) -> None:
        facts = {
            "members": found.members,
            "changed": found.changed,
            "seconds": time.perf_counter() - began,
            "lock_s_max": max(times.held, default=0.0),
            "locks_long": sum(held > 0.1 for held in times.held),
            "locks": len(times.held),
            "done": found.done,
        }
        sys.stdout.write(f"{orjson.dumps(facts).decode()}\n")
        sys.stdout.flush()

    at = datetime.fromisoformat(now)
    try:
        if whose == "due":
            tell(await tiers.settle_due_levels(now=at, zone=SHANGHAI, told=tell))
        else:
            walk = LevelWalk(name="test")
            await tiers.evaluate_levels(walk, now=at, zone=SHANGHAI, told=tell)
    finally:
        leave()
        await storage.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
