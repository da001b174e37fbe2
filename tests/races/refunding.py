"""A process that refunds one order: `python -m tests.races.refunding`.

Arguments: database URL, how much each refund is of (fen), the numbers of the first and the last
refund. All are sent at once, each in a batch of its own. The last line of standard output is a JSON
object: how many were applied, and with which codes others were rejected.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

import orjson

from domain import storage
from tests.domain.returns.desk import record, refund
from tests.races.contention import PATIENT


async def give_back(amount: int, numbers: range) -> dict[str, int]:
    """Send the refunds of order A at once."""
    met: Counter[str] = Counter()

    async def one(number: int) -> None:
        batch = await record(refund(f"r-{number}", "A", amount), batch_id=f"refunds-{number}")
        [receipt] = batch.receipts
        met[str(receipt.code or receipt.status)] += 1

    await asyncio.gather(*(one(number) for number in numbers))
    return dict(met)


async def main(database: str, amount: str, first: str, last: str) -> None:
    await storage.connect(database, pool=PATIENT)
    try:
        met = await give_back(int(amount), range(int(first), int(last)))
    finally:
        await storage.close()
    print(orjson.dumps(met).decode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
