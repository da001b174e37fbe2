"""Twenty partners push at once, in any order, again and again, while connections and gateways end.

What came of it is held against a reference model: each item in effect once, each receipt standing,
budgets and caps kept. Bugs planted from outside show that the model would find them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from domain import storage
from tests.faults.posting import TRY_AGAIN
from tests.faults.serving import PATIENT, Serving
from tests.faults.storm_books import what_is_wrong
from tests.faults.storm_partners import Fairground, open_fairground
from tests.faults.storm_sending import Storm
from tests.servers import OwnRedis
from tests.servers.relay import Relay, relayed

pytestmark = [pytest.mark.faults, pytest.mark.soak]

PARTNERS: Final = 20
KILLS: Final = 4
KILLS_SHORT: Final = 1
CUT_EVERY: Final = 20
"""Answers between two moments at which all connections of a gateway end."""

ENVIRONMENT: Final = {
    **PATIENT,
    "JIFEN_WORK__IN_PROCESS": "false",
    "JIFEN_RATES__PARTNER__CAPACITY": "100000000",
    "JIFEN_RATES__PARTNER__RESTORED_PER_MINUTE": "100000000",
}

Tally = Callable[[str, int, int], None]


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[str]:
    await storage.connect(postgres_url)
    yield postgres_url
    await storage.close()


@pytest.mark.timeout(1_800)
async def test_a_storm_of_twenty_partners(
    database: str, own_redis: OwnRedis, tmp_path: Path, *, full_form: bool, tally: Tally
) -> None:
    batches, size, kills = (4, 500, KILLS) if full_form else (4, 40, KILLS_SHORT)
    fairground = await open_fairground(
        database, tmp_path, partners=PARTNERS, batches=batches, size=size
    )
    async with AsyncExitStack() as stack:
        gateways = [
            Serving(fairground.town, tmp_path, redis_url=own_redis.url, environment=ENVIRONMENT)
            for _ in range(2)
        ]
        for gateway in gateways:
            stack.callback(gateway.__exit__)
        await asyncio.gather(*(asyncio.to_thread(one.__enter__) for one in gateways))
        relays, clients = [], []
        for gateway in gateways:
            relay, url = await stack.enter_async_context(relayed(gateway.url))
            client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=30)
            relays.append(relay)
            clients.append(await stack.enter_async_context(client))
        storm = Storm(clients, fairground.pushers)
        async with asyncio.TaskGroup() as group:
            pushing = group.create_task(storm.push())
            cutting = group.create_task(_cut(relays, storm))
            for kill in range(1, kills + 1):
                await storm.until(kill * storm.sends // (kills + 1))
                await _kill(gateways[kill % 2])
            await pushing
            cuts = await cutting
        await storm.look()
        assert [one.logged("internal_error") for one in gateways] == [[], []]

    assert await what_is_wrong(fairground, storm.told) == []
    print(f"\n{dict(storm.outcomes)}")
    _count(fairground, storm, tally, size=size, batches=batches)
    tally("kill -9 of a gateway among pushes", kills, KILLS if full_form else KILLS_SHORT)
    tally("times that the connections of a gateway were cut", cuts, 2)
    lost = sum(number for name, number in storm.outcomes.items() if name not in TRY_AGAIN)
    tally("requests whose answer was lost, sent again", lost, 2)


async def _cut(relays: list[Relay], storm: Storm) -> int:
    """Cut the connections to one gateway after the other; how often."""
    cuts = 0
    for answered in range(CUT_EVERY, storm.sends, CUT_EVERY):
        await storm.until(answered)
        relays[cuts % 2].cut()
        cuts += 1
    return cuts


async def _kill(gateway: Serving) -> None:
    """SIGKILL to all its processes, and a new one in its place."""
    pid = gateway.pid
    await asyncio.to_thread(gateway.__exit__)
    await asyncio.to_thread(gateway.__enter__)
    assert gateway.pid != pid


def _count(fairground: Fairground, storm: Storm, tally: Tally, *, size: int, batches: int) -> None:
    """What the storm consisted of; none of it may go missing."""
    items = PARTNERS * batches * size
    first = [answers[0] for told in storm.told.values() for answers in told.answers.values()]
    receipts = Counter[Any]()
    for batch in first:
        for one in batch["receipts"]:
            receipts[one["status"]] += 1
            receipts[one["code"]] += 1
    replayed = sum(
        answer["replayed"]
        for told in storm.told.values()
        for answers in told.answers.values()
        for answer in answers
    )
    tally("items of twenty partners in a storm, as the model has them", items, items)
    tally("… reversals before their grants", receipts["PENDING"], items // 25)
    tally("… duplicates", receipts["DUPLICATE"], items // 25)
    tally("… refused by a budget", receipts["BUDGET_EXHAUSTED"], items // 100)
    tally("… refused by a cap", receipts["CAP_REACHED"], items // 100)
    tally("… conflicts of content", receipts["IDEMPOTENCY_CONFLICT"], items // 200)
    tally("batches answered again, alike but for `replayed`", replayed, PARTNERS * batches // 2)
    assert len(first) == sum(len(one.plan.batches) for one in fairground.pushers)
