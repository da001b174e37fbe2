"""Workers that look after deadlines, for races: `python -m tests.races.breaching OPTIONS`.

OPTIONS is JSON: `url`, `now`, `workers` and optionally `plant` (a bug by name). The process says
`ready`, waits for a line, lets so many workers sweep at once, and says in JSON what each did.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain import storage
from domain.feedback import breaches
from domain.ledger import post_one
from tests.races.contention import PATIENT


async def main(options: dict[str, Any]) -> None:
    """Connect, wait, sweep, say what was done."""
    await storage.connect(options["url"], pool=PATIENT)
    if options.get("plant") == "not looked at again":
        plant()
    now = datetime.fromisoformat(options["now"])
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    found = await asyncio.gather(
        *(breaches.watch_deadlines(now=now, within_s=60) for _ in range(options["workers"]))
    )
    told = [[one.breaches, one.points, one.unpaid] for one in found]
    print(orjson.dumps(told).decode(), flush=True)
    await storage.close()


def plant() -> None:
    """What was seen before the lock is believed under it, and nothing else tells it apart."""

    async def still_missed(promised: Any, member_id: UUID, ticket_id: UUID, **_: object) -> int:
        return 50

    async def post(command: Any, *, now: datetime) -> object:
        return await post_one(replace(command, key=None), now=now)

    vars(breaches).update(_still_missed=still_missed, post_one=post)


if __name__ == "__main__":
    asyncio.run(main(orjson.loads(sys.argv[1])))
