"""A process that counts: `python -m tests.domain.storage.counting URL TIMES`.

It says `ready` once it is connected, waits for a line, then reads the number, adds one and writes
it back, TIMES times, in four tasks at once.
"""

from __future__ import annotations

import asyncio
import sys

from domain import storage

TASKS = 4
attempts = 0
"""How often this process has begun to add one, those times included that had to be repeated."""


async def add_one() -> None:
    """Read, then write what was read and one more: nothing may come between."""
    global attempts  # noqa: PLW0603 - a count of this small process
    attempts += 1
    row = await storage.fetch_one("SELECT number FROM counted WHERE id = $1 FOR UPDATE", 1)
    assert row is not None
    await asyncio.sleep(0)
    await storage.execute("UPDATE counted SET number = $1 WHERE id = $2", row["number"] + 1, 1)


async def count(times: int) -> None:
    """Add one so many times, in four tasks at once."""

    async def task() -> None:
        for _ in range(times // TASKS):
            await storage.transaction(add_one)

    await asyncio.gather(*(task() for _ in range(TASKS)))


async def main(url: str, times: int) -> None:
    await storage.connect(url)
    try:
        print("ready", flush=True)
        sys.stdin.readline()
        await count(times)
    finally:
        await storage.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
