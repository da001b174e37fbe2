"""A process that migrates: `python -m tests.repository.migrating URL [STATEMENTS]`.

It says `ready` once it is connected, waits for a line, migrates, and says what it applied, as JSON.
With STATEMENTS it is killed before so many and one more have run.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from domain import storage
from domain.storage import migration_operations

PATIENT = replace(storage.UNHURRIED, lock_timeout_ms=20_000, write_wait_s=20.0)
"""Another process may take a while on a busy machine."""


def die_after(allowed: int) -> None:
    """Kill this process once its migrations have run so many statements."""
    run, ran = migration_operations._run, [0]

    async def run_and_count(editor: Any, statements: Sequence[str]) -> None:
        for statement in statements:
            if editor is not None:
                if ran[0] == allowed:
                    os.kill(os.getpid(), signal.SIGKILL)
                ran[0] += 1
            await run(editor, [statement])

    migration_operations._run = run_and_count


async def main(url: str) -> None:
    await storage.connect(url, pool=PATIENT)
    try:
        print("ready", flush=True)
        sys.stdin.readline()
        print(orjson.dumps(await storage.migrate()).decode())
    finally:
        await storage.close()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        die_after(int(sys.argv[2]))
    asyncio.run(main(sys.argv[1]))
