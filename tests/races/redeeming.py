"""A process that redeems one reward again and again: `python -m tests.races.redeeming`.

Arguments: database URL, the reward's id, the numbers of the first and the last redemption. Each
number is a redemption with a key of its own, by one of a hundred members in turn. The last line of
standard output is a JSON object: how many were given, sold out, and what else was met.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import Any, Final
from uuid import UUID

import orjson

from domain import storage
from domain.errors import OutOfStock
from domain.rewards import RedeemReward, redeem_reward
from tests.domain.ledger.commands import NOW
from tests.races.contention import PATIENT

MEMBERS: Final = tuple(UUID(int=number) for number in range(1_000, 1_100))


async def redeem(reward_id: UUID, numbers: range) -> dict[str, Any]:
    """Redeem all at once; as many run as there are connections."""
    met: Counter[str] = Counter()

    async def one(number: int) -> None:
        command = RedeemReward(
            member_id=MEMBERS[number % len(MEMBERS)],
            reward_id=reward_id,
            idempotency_key=f"race-{number}",
        )
        try:
            await redeem_reward(command, now=NOW)
        except OutOfStock:
            met["sold out"] += 1
        except Exception as fault:
            met[f"{type(fault).__name__}: {fault}"] += 1
        else:
            met["given"] += 1

    await asyncio.gather(*(one(number) for number in numbers))
    return dict(met)


async def main(database: str, reward_id: str, first: str, last: str) -> None:
    await storage.connect(database, pool=PATIENT)
    try:
        met = await redeem(UUID(reward_id), range(int(first), int(last)))
    finally:
        await storage.close()
    print(orjson.dumps(met).decode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
