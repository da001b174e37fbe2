"""A process that sweeps: `python -m tests.faults.sweeping URL NOW`, until nothing is due.

It writes a line of JSON after each batch, so that whoever kills it knows how far it came. Locks are
timed from the moment at which the statement that takes them is sent to the end of the commit.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import datetime
from typing import Final

import orjson

from api.memory import keep_what_is_loaded
from domain import ledger, storage
from domain.ledger import Swept
from domain.storage import UNHURRIED, Statement

LOCKS: Final = "SKIP LOCKED"


class LockTimes:
    """How long the transactions of this process kept their locks, in seconds.

    `lock` is what the text of a statement holds that takes them.
    """

    def __init__(self, lock: str = LOCKS) -> None:
        self.held: list[float] = []
        self._lock = lock
        self._since: float | None = None

    def statement_ended(self, statement: Statement) -> None:
        ended = statement.started_at + statement.duration_s
        if self._lock in statement.text and self._since is None:
            self._since = statement.started_at
        elif statement.text in {"COMMIT", "BEGIN"}:
            if self._since is not None and statement.text == "COMMIT":
                self.held.append(ended - self._since)
            self._since = None

    def connection_awaited(self, waited_s: float, *, granted: bool) -> None:
        """Before any lock."""


async def main(url: str, now: str) -> None:
    """Sweep to the end."""
    keep_what_is_loaded()  # As every process that sweeps does.
    times, began = LockTimes(), time.perf_counter()
    await storage.connect(url, pool=UNHURRIED)
    leave = storage.listen(times)

    def tell(swept: Swept, *, done: bool = False) -> None:
        facts = {
            "entries": swept.entries,
            "batches": swept.batches,
            "seconds": time.perf_counter() - began,
            "lock_s_max": max(times.held, default=0.0),
            "locks_long": sum(held > 0.1 for held in times.held),
            "locks": len(times.held),
            "done": done,
        }
        sys.stdout.write(f"{orjson.dumps(facts).decode()}\n")
        sys.stdout.flush()

    try:
        swept = await ledger.sweep(
            now=datetime.fromisoformat(now),
            accounts_max=sys.maxsize,
            within_s=float("inf"),
            progress=tell,
        )
        tell(swept, done=swept.done)
    finally:
        leave()
        await storage.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
