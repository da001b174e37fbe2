"""A process that uses one perk again and again: `python -m tests.races.using_perks`.

Arguments: database URL, the member's id, the numbers of the first and the last use, each of which
has a key of its own. The last line of standard output is a JSON object: how many were used, refused
by the quota, and what else was met.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import Any, Final
from uuid import UUID

import orjson

from domain import storage
from domain.errors import PerkQuotaUsed
from domain.tiers import PerkDefinition, UsePerk, use_perk
from tests.domain.ledger.commands import NOW
from tests.domain.tiers.levels import perk
from tests.races.contention import PATIENT

THREE: Final[PerkDefinition] = perk(31, "base", "three", quota=3, period="DAY")


async def use(member_id: UUID, numbers: range) -> dict[str, Any]:
    """Use it all at once; as many run as there are connections."""
    met: Counter[str] = Counter()

    async def one(number: int) -> None:
        command = UsePerk(member_id=member_id, perk_id=THREE.id, idempotency_key=f"race-{number}")
        try:
            await use_perk(command, now=NOW)
        except PerkQuotaUsed:
            met["quota used"] += 1
        except Exception as fault:
            met[f"{type(fault).__name__}: {fault}"] += 1
        else:
            met["used"] += 1

    await asyncio.gather(*(one(number) for number in numbers))
    return dict(met)


async def main(database: str, member_id: str, first: str, last: str) -> None:
    await storage.connect(database, pool=PATIENT)
    try:
        met = await use(UUID(member_id), range(int(first), int(last)))
    finally:
        await storage.close()
    print(orjson.dumps(met).decode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
