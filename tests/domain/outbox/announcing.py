"""A process that announces: `python -m tests.domain.outbox.announcing URL MEMBER`.

It says `ready` once it is connected. For each line `KIND COUNT` that it reads, it announces so many
events of that kind about the member, each in a transaction of its own, and says `done`.
"""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

from domain import storage
from domain.outbox import Event, announce
from tests.domain.ledger.commands import NOW


async def main(url: str, member_id: UUID) -> None:
    await storage.connect(url)
    try:
        print("ready", flush=True)
        for line in sys.stdin:
            kind, count = line.split()
            for n in range(int(count)):
                await announce([Event(kind=kind, member_id=member_id, facts={"n": n})], now=NOW)
            print("done", flush=True)
    finally:
        await storage.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], UUID(sys.argv[2])))
