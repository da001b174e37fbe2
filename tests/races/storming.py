"""A process that sends the same commands again and again: `python -m tests.races.storming`.

Arguments: database URL, how many keys, how many times each, the seed of the order. Part of the
sends is in batches that name one key twice. The last line of standard output is a JSON object: by
key the answers as [number, kind, amount, balance after, replayed] and how many sends overlapped,
and the faults that were met.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid5

import orjson

from domain import storage
from domain.errors import Refusal
from domain.ledger import NEVER, Command, Key, Outcome, Posted, Redeem, Source, post
from domain.ledger.commands import Adjust, SetAside, Transfer
from tests.domain.ledger.commands import NOW, earn
from tests.races.contention import PATIENT

MEMBERS: Final = tuple(UUID(int=number) for number in range(1, 6))
OPENING: Final = 100_000
AT_ONCE: Final = 24
BATCH: Final = 8
"""Every fifth send of a key is in a batch of up to so many."""


def command_of(number: int) -> Command:
    """The one command of a key: one of five kinds, on one of five members."""
    member = MEMBERS[number // 5 % len(MEMBERS)]
    key = Key(scope="storm", key=f"k{number}")
    source = Source(kind="storm", reference=key.key)
    points = number + 1
    match number % 5:
        case 0:
            return earn(points, member_id=member, source=source, known_as=key)
        case 1:
            return Redeem(member_id=member, points=points, source=source, key=key)
        case 2:
            return SetAside(
                member_id=member,
                hold_id=uuid5(member, key.key),
                owner="storm",
                points=points,
                expires_at=NEVER,
                source=source,
                key=key,
            )
        case 3:
            other = MEMBERS[(number // 5 + 1) % len(MEMBERS)]
            return Transfer(
                member_id=member, to_member_id=other, points=points, source=source, key=key
            )
        case _:
            return Adjust(
                member_id=member,
                points=-points,
                reason="storm",
                source=source,
                expires_at=NEVER,
                key=key,
            )


def sends(keys: int, times: int, *, seed: int) -> list[list[Command]]:
    """Every key so many times: four of five alone, the rest in batches of neighbours.

    The keys come in their order, those of a batch together and in the order that `seed` makes, so
    that the sends of a key are in flight at one time, here and in another process.
    """
    chance = random.Random(seed)
    twice = times // 5
    of_a_batch = max(BATCH // max(twice, 1), 1)
    mixed: list[list[int]] = []
    for first in range(0, keys, of_a_batch):
        several = range(first, min(first + of_a_batch, keys))
        batch = [number for number in several for _ in range(twice)]
        some = [[number] for number in several for _ in range(times - twice)]
        some += [batch] if batch else []
        chance.shuffle(some)
        mixed += some
    return [[command_of(number) for number in batch] for batch in mixed]


async def storm(keys: int, times: int, *, seed: int) -> dict[str, Any]:
    """Send them all, `AT_ONCE` at a time."""
    told: dict[str, Any] = {"answers": {}, "faults": [], "overlaps": {}}
    turns = asyncio.Semaphore(AT_ONCE)
    in_flight: Counter[str] = Counter()

    async def send(batch: Sequence[Command]) -> None:
        keys = {command.key.key for command in batch if command.key}
        async with turns:
            for key in keys:
                # Sends that begin while another of the key has no answer yet.
                overlaps = told["overlaps"]
                overlaps[key] = overlaps.get(key, 0) + (in_flight[key] > 0)
            in_flight.update(keys)
            try:
                outcomes = await post(batch, now=NOW)
            except Exception as fault:
                told["faults"].append(f"{type(fault).__name__}: {fault}")
                return
            finally:
                in_flight.subtract(keys)
        keep(batch, outcomes, told)

    await asyncio.gather(*(send(batch) for batch in sends(keys, times, seed=seed)))
    return told


def keep(batch: Sequence[Command], outcomes: Sequence[Outcome], told: dict[str, Any]) -> None:
    """Add what was answered to what is told."""
    for command, outcome in zip(batch, outcomes, strict=True):
        assert command.key is not None
        if isinstance(outcome, Refusal):
            told["faults"].append(f"{command.key.key}: {outcome!r}")
        else:
            told["answers"].setdefault(command.key.key, []).append(_told(outcome))


def _told(posted: Posted) -> list[Any]:
    return [posted.seq, posted.kind, posted.amount, posted.balance_after, posted.replayed]


async def main(database: str, keys: str, times: str, seed: str) -> None:
    await storage.connect(database, pool=PATIENT)
    try:
        told = await storm(int(keys), int(times), seed=int(seed))
    finally:
        await storage.close()
    print(orjson.dumps(told).decode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
