"""The same mutations many times at once, through two gateways: each takes effect once.

Nothing is killed here, but two gateways and a database share the machine with the clients.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from domain import storage
from domain.ledger import verify_account
from tests.faults.posting import postings, started
from tests.faults.serving import PATIENT, Serving
from tests.faults.town import Town, settle
from tests.graphql.gateway import global_id
from tests.graphql.operations import operation
from tests.servers import OwnRedis

pytestmark = [pytest.mark.faults, pytest.mark.soak]

KEYS: Final = 500
KEYS_SHORT: Final = 50
TIMES: Final = 20
KEYS_AT_ONCE: Final = 4
"""Of each, all sends are in flight together: eighty requests, forty for each gateway."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One mutation, always the same."""

    name: str
    token: str
    variables: dict[str, Any]

    async def through(self, http: httpx.AsyncClient, statuses: Counter[int]) -> Any:
        """Its payload, without the word on whether it had been done before.

        A server that says that it is busy is asked again, as a client would; `statuses` counts all.
        """
        while True:
            response = await http.post(
                "/graphql",
                json={"query": operation(self.name), "variables": self.variables},
                headers={"authorization": f"Bearer {self.token}"},
            )
            statuses[response.status_code] += 1
            answer = response.json()
            if "errors" not in answer:
                [payload] = answer["data"].values()
                return _without_replayed(payload)
            [error] = answer["errors"]
            assert error["extensions"]["code"] == "OVERLOADED", error


def _without_replayed(payload: Any) -> Any:
    if isinstance(payload, dict):
        return {
            name: _without_replayed(value) for name, value in payload.items() if name != "replayed"
        }
    return payload


def mutations(town: Town, keys: int) -> list[Sent]:
    """Purchases, holds and transfers in turn, dealt to the members."""
    bought = postings(town, keys, prefix="storm")
    made = []
    for number in range(keys):
        place = number % len(town.members)
        fields: dict[str, Any] = {"points": 3, "idempotencyKey": f"storm-{number}"}
        match number % 3:
            case 0:
                made.append(Sent("RecordPurchases", town.shop_token, bought[number].variables))
            case 1:
                member = {"id": global_id("Member", town.members[place])}
                fields |= {"member": member, "reference": f"storm-{number}"}
                made.append(Sent("HoldPoints", town.shop_token, {"input": fields}))
            case _:
                other = town.members[(place + 1) % len(town.members)]
                fields |= {"toMember": {"id": global_id("Member", other)}}
                made.append(Sent("TransferPoints", town.member_tokens[place], {"input": fields}))
    return made


@pytest.mark.timeout(1_800)
async def test_a_storm_of_duplicates_through_two_gateways(
    postgres_url: str,
    own_redis: OwnRedis,
    tmp_path: Path,
    *,
    full_form: bool,
    tally: Callable[[str, int, int], None],
) -> None:
    keys = KEYS if full_form else KEYS_SHORT
    town = await settle(postgres_url, tmp_path, orders_each=3)
    todo = mutations(town, keys)
    answers: dict[int, list[Any]] = defaultdict(list)
    statuses = Counter[int]()
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            served = Serving(town, tmp_path, redis_url=own_redis.url, environment=PATIENT)
            url = (await stack.enter_async_context(started(served))).url
            client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=30)
            clients.append(await stack.enter_async_context(client))
        for first in range(0, keys, KEYS_AT_ONCE):
            sends = [n for n in range(first, min(first + KEYS_AT_ONCE, keys)) for _ in range(TIMES)]
            random.Random(first).shuffle(sends)
            told = await asyncio.gather(
                *(todo[n].through(clients[place % 2], statuses) for place, n in enumerate(sends))
            )
            for number, answer in zip(sends, told, strict=True):
                answers[number].append(answer)

    if full_form:
        assert set(statuses) == {200}, statuses  # A busy machine has no time for all of them.
    for number, each in answers.items():
        assert len(each) == TIMES
        assert each[0]["userErrors"] == [], each[0]
        assert all(answer == each[0] for answer in each), (number, each)
    assert await effects(town) == {
        "purchase": len(range(0, keys, 3)),
        "hold": len(range(1, keys, 3)),
        "transfer": len(range(2, keys, 3)),
    }
    tally("mutations sent twenty times through two gateways, done once", len(answers), keys)


async def effects(town: Town) -> dict[str, int]:
    """How many of each are in the database; every account is sound."""
    await storage.connect(town.database_url)
    try:
        row = await storage.fetch_one(
            """
            SELECT (SELECT COUNT(*) FROM purchase WHERE external_id LIKE 'storm-%') AS purchase,
                   (SELECT COUNT(*) FROM points_entry WHERE kind = 'HOLD') AS hold,
                   (SELECT COUNT(*) FROM points_entry WHERE kind = 'TRANSFER_OUT') AS transfer
            """
        )
        assert row is not None
        for member in town.members:
            assert await verify_account(member) == []
        return {name: row[name] for name in ("purchase", "hold", "transfer")}
    finally:
        await storage.close()
