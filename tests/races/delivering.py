"""A worker that delivers, for races and kills: `python -m tests.races.delivering OPTIONS`.

OPTIONS is JSON: `url`, `name`, `lease_s`, and optionally `hang` (before or after the batch that
makes it so many events it says `hanging`, and waits to be killed: a positive number for after, a
negative one for before), `once` (the effect goes through `consume_once`) and `plant` (a bug by
name). It says `ready`, waits for a line, delivers, and says `drained` when nothing is left to
deliver. What was handled stands in the table `heard`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson

from domain import storage
from domain.outbox import (
    Announced,
    Consumer,
    DeliveryLimits,
    consume_once,
    delivery,
    drain,
    leases,
    outbox_status,
)
from tests.races.contention import PATIENT

HEARD = """
    CREATE TABLE heard (
        n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        worker TEXT NOT NULL,
        member_id UUID NOT NULL,
        seq BIGINT NOT NULL
    )
"""


async def make_heard(url: str) -> None:
    """The table in which workers write down what they handled, in the order of their handling."""
    connection = await asyncpg.connect(url)
    await connection.execute(HEARD)
    await connection.close()


class Worker:
    """The one consumer of this process."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.name: str = options["name"]
        self.hang: int = options.get("hang", 0)
        self.once: bool = options.get("once", False)
        self.handled = 0

    async def take(self, events: Sequence[Announced]) -> None:
        self.handled += len(events)
        hangs = self.hang and self.handled >= abs(self.hang)
        if hangs and self.hang < 0:
            await self._hang()
        if self.once:
            await consume_once("worker", events, self._write)
        else:
            await self._write(events)
        if hangs:
            await self._hang()

    async def _hang(self) -> None:
        print("hanging", flush=True)
        await asyncio.Event().wait()

    async def _write(self, events: Sequence[Announced]) -> None:
        await storage.execute(
            "INSERT INTO heard (worker, member_id, seq) "
            "SELECT $1, e.member_id, e.seq "
            "FROM unnest($2::uuid[], $3::bigint[]) WITH ORDINALITY AS e (member_id, seq, n) "
            "ORDER BY e.n",
            self.name,
            [event.member_id for event in events],
            [event.seq for event in events],
        )


def plant(bug: str) -> None:
    """Change the code that runs here, as somebody might by mistake."""
    if bug == "no lease":
        unleased = leases._CLAIM.replace("due_at = $2", "due_at = LEAST($2, due_at)")
        assert unleased != leases._CLAIM
        leases._CLAIM = unleased
    elif bug == "recorded before it is handled":
        read = leases.read

        async def read_and_record(*leased: Any, **values: Any) -> Any:
            events = await read(*leased, **values)
            for member_id, some in events.items():
                await storage.execute(
                    "UPDATE outbox_stream SET delivered_seq = $2 WHERE member_id = $1",
                    member_id,
                    some[-1].seq,
                )
            return events

        vars(delivery)["read"] = read_and_record
    else:
        raise AssertionError(bug)


async def main(options: dict[str, Any]) -> None:
    if "plant" in options:
        plant(options["plant"])
    await storage.connect(options["url"], pool=PATIENT)
    worker = Worker(options)
    consumers = [Consumer("worker", None, worker.take)]
    limits = DeliveryLimits(streams_max=3, events_max=20, lease_s=options["lease_s"])
    try:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        while True:
            await drain(consumers, clock=lambda: datetime.now(UTC), limits=limits)
            if (await outbox_status()).undelivered == 0:
                break
            # Others have leased what is left: look again as workers do.
            await asyncio.sleep(0.02)
        print("drained", flush=True)
    finally:
        await storage.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(orjson.loads(sys.argv[1])))
