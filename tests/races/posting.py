"""A process that posts to one account, for the races: `python -m tests.races.posting`.

Arguments: database URL, member id, the name of this process, how many postings. Even ones earn 7,
odd ones redeem 5, each under a key of its own; all run at once. The last line of standard output is
a JSON list, per posting its amount, or 0 where the points did not suffice.
"""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

import orjson

from domain import storage
from domain.errors import InsufficientPoints
from domain.ledger import NEVER, Command, Earn, Key, Redeem, Source, post
from tests.domain.access.fixtures import NOW
from tests.races.contention import PATIENT


def command(member_id: UUID, name: str, number: int) -> Command:
    key = Key(scope="race", key=f"{name}-{number}")
    source = Source(kind="race", reference=f"{name}-{number}")
    if number % 2:
        return Redeem(member_id=member_id, points=5, source=source, key=key)
    return Earn(
        member_id=member_id,
        points=7,
        source=source,
        effective_at=NOW,
        expires_at=NEVER,
        key=key,
    )


async def post_all(member_id: UUID, name: str, postings: int) -> list[int]:
    """Post them all at once, each in a transaction of its own."""
    outcomes = await asyncio.gather(
        *(post([command(member_id, name, number)], now=NOW) for number in range(postings))
    )
    amounts = []
    for [outcome] in outcomes:
        if isinstance(outcome, InsufficientPoints):
            amounts.append(0)
        else:
            assert not isinstance(outcome, Exception), outcome
            amounts.append(outcome.amount)
    return amounts


async def main(database: str, member_id: str, name: str, postings: str) -> None:
    await storage.connect(database, pool=PATIENT)
    try:
        amounts = await post_all(UUID(member_id), name, int(postings))
    finally:
        await storage.close()
    print(orjson.dumps(amounts).decode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
