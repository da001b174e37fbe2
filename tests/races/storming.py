"""A process that sends the same commands again and again: `python -m tests.races.storming`.

Arguments: database URL, how many keys, how many times each, the seed of the order. Part of the
sends is in batches that name one key twice. The last line of standard output is a JSON object: by
key the answers as [number, kind, amount, balance after, replayed], and the faults that were met.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid5

import orjson

from domain import storage
from domain.errors import Refusal
from domain.ledger import NEVER, Command, Key, Outcome, Posted, Redeem, Source, post
from domain.ledger.entries import Adjust, SetAside, Transfer
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
    """Every key so many times, in some order: four of five alone, the rest in batches."""
    chance = random.Random(seed)
    together = [number for number in range(keys) for _ in range(times // 5)]
    alone = [number for number in range(keys) for _ in range(times - times // 5)]
    chance.shuffle(alone)
    # Sorted, so that a batch has the same key more than once.
    together.sort()
    batches = [together[start : start + BATCH] for start in range(0, len(together), BATCH)]
    mixed = [*([number] for number in alone), *batches]
    chance.shuffle(mixed)
    return [[command_of(number) for number in batch] for batch in mixed]


async def storm(keys: int, times: int, *, seed: int) -> dict[str, Any]:
    """Send them all, `AT_ONCE` at a time."""
    told: dict[str, Any] = {"answers": {}, "faults": []}
    turns = asyncio.Semaphore(AT_ONCE)

    async def send(batch: Sequence[Command]) -> None:
        async with turns:
            try:
                outcomes = await post(batch, now=NOW)
            except Exception as fault:
                told["faults"].append(f"{type(fault).__name__}: {fault}")
                return
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
