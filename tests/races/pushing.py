"""A process that pushes one batch of purchases, for the races: `python -m tests.races.pushing`.

Arguments: database URL, file of phone keys, batch id, how often to push it at once, order ids. The
last line of standard output is the answers as JSON, a list of
`[replayed, [[status, purchase id, points], …]]`; log lines come before it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson

from domain import storage
from domain.members import PhoneKeyFile, use_phone_keys
from domain.purchases import PurchaseBatch, RecordPurchases, record_purchases
from tests.domain.purchases.shop import NOW, order
from tests.races.contention import PATIENT


async def push(batch_id: str, order_ids: list[str]) -> PurchaseBatch:
    """Push an order of 88 points for each id, in turn of alice's and bob's."""
    orders = [order(one, ("alice", "bob")[ord(one[-1]) % 2]) for one in order_ids]
    command = RecordPurchases(source="shop", batch_id=batch_id, orders=orders)
    return await record_purchases(command, now=NOW)


def told(batch: PurchaseBatch) -> list[Any]:
    """The answer as JSON can hold it."""
    receipts = [
        [one.status.value, str(one.purchase_id), one.points_earned] for one in batch.receipts
    ]
    return [batch.replayed, receipts]


async def main(database: str, phone_keys: str, batch_id: str, times: str, *order_ids: str) -> None:
    use_phone_keys(PhoneKeyFile(Path(phone_keys), now=NOW))
    await storage.connect(database, pool=PATIENT)
    pushes = (push(batch_id, list(order_ids)) for _ in range(int(times)))
    answers = await asyncio.gather(*pushes)
    await storage.close()
    print(orjson.dumps([told(answer) for answer in answers]).decode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
