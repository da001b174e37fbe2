"""A process that pushes rewards, one per batch, for the races: `python -m tests.races.rewarding`.

Argument: a JSON object with the database's URL, the files of keys, the partner's code, the
campaign, and the pushes as [batch id, external id, member id]. The last line of standard output is
the receipts as JSON, `[[status, code], …]`; log lines come before it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from domain import games, storage
from domain.access import KeyRing
from domain.games import Partner, PushRewards, RewardItem, push_rewards
from domain.members import ById, PhoneKeyFile, use_phone_keys
from tests.domain.games.arcade import NOW
from tests.races.contention import PATIENT

Push = tuple[str, str, str]
"""A batch id, an external id, and a member's id."""


async def push_all(
    partner: Partner, campaign: UUID, keys: KeyRing, pushes: Sequence[Push]
) -> list[list[str | None]]:
    """Push a grant of 10 points for each, all at once."""

    async def push(batch_id: str, external_id: str, member_id: str) -> list[str | None]:
        item = RewardItem(
            external_id=external_id,
            member=ById(UUID(member_id)),
            campaign=str(campaign),
            campaign_id=campaign,
            points=10,
            occurred_at=NOW - timedelta(hours=1),
        )
        command = PushRewards(partner=partner, batch_id=batch_id, items=[item])
        [receipt] = (await push_rewards(command, keys=keys, now=NOW)).receipts
        return [receipt.status.value, receipt.code and receipt.code.value]

    return await asyncio.gather(*(push(*one) for one in pushes))


async def main(given: str) -> None:
    what: dict[str, Any] = orjson.loads(given)
    use_phone_keys(PhoneKeyFile(Path(what["phone_keys"]), now=NOW))
    await storage.connect(what["database"], pool=PATIENT)
    partner = await games.find_partner(what["partner"])
    assert partner is not None
    keys = KeyRing(Path(what["key_set"]), now=NOW)
    told = await push_all(partner, UUID(what["campaign"]), keys, what["pushes"])
    await storage.close()
    print(orjson.dumps(told).decode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
