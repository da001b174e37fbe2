"""A process that trains: `python -m tests.faults.training URL NOW`.

It writes a line for each news of its progress, so that whoever kills it knows how far it came.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

from api.memory import keep_what_is_loaded
from domain import recommendations, storage
from domain.recommendations import ScoringSettings, training
from domain.storage import UNHURRIED
from tests.graphql.gateway import StandingClock


async def main(url: str, now: str) -> None:
    """Train to the end, a few members at a time."""
    keep_what_is_loaded()
    for name, few in (("READ_AT_ONCE", 20), ("LISTED_AT_ONCE", 5), ("ITEMS_AT_ONCE", 2)):
        setattr(training, name, few)
    await storage.connect(url, pool=UNHURRIED)

    def tell(stage: str, done: int, total: int | None) -> None:
        sys.stdout.write(f"{stage} {done} {total}\n")
        sys.stdout.flush()

    try:
        clock = StandingClock(datetime.fromisoformat(now))
        await recommendations.train(ScoringSettings(), clock=clock, told=tell)
    finally:
        await storage.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
