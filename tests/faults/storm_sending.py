"""Partners that push until they know: each batch several times, in any order, through what drops.

Every answer is kept. A connection that ends says nothing about the effect, so the batch is sent
again as it was, signed anew.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.faults.posting import TRY_AGAIN
from tests.faults.storm_partners import Pusher

AT_ONCE: Final = 24
OF_ONE_AT_ONCE: Final = 3
"""Batches of one partner that are in flight together."""

SENDS_MAX: Final = 3
"""Each batch is pushed at least once, at most so often."""

IDS_AT_ONCE: Final = 300
"""More would cost more than one operation may."""
PAUSE_S: Final = 0.05
TRIES_MAX: Final = 1_000


@dataclass(slots=True)
class Told:
    """What one partner was told: the answers to each batch, and how its items stand at the end."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    standing: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Storm:
    """All partners at once. `clients` are the ways to the gateways, taken at random."""

    clients: Sequence[httpx.AsyncClient]
    pushers: Sequence[Pusher]
    told: dict[str, Told] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _chance: random.Random = field(default_factory=lambda: random.Random(20))

    @property
    def sends(self) -> int:
        """How many answers there will be to batches."""
        return sum(len(_sends(pusher)) for pusher in self.pushers)

    async def push(self) -> None:
        """Push everything; returns when each send is answered."""
        async with asyncio.TaskGroup() as group:
            for pusher in self.pushers:
                group.create_task(self._push(pusher))

    async def until(self, answered: int) -> None:
        """Wait until so many sends are answered."""
        async with asyncio.timeout(600), self._news:
            await self._news.wait_for(lambda: self.answered >= answered)

    async def look(self) -> None:
        """Ask how every item of everybody stands."""
        await asyncio.gather(*(self._look(pusher) for pusher in self.pushers))

    async def ask(self, pusher: Pusher, name: str, variables: dict[str, Any]) -> Any:
        """The value of the operation's one field, however often it has to be asked for."""
        for _ in range(TRIES_MAX):
            body, headers = pusher.request(name, variables)
            client = self._chance.choice(self.clients)
            try:
                response = await client.post("/graphql", content=body, headers=headers)
            except httpx.TransportError as fault:
                self.outcomes[type(fault).__name__] += 1
            else:
                answer = response.json()
                if "errors" not in answer:
                    [value] = answer["data"].values()
                    return value
                code = answer["errors"][0]["extensions"]["code"]
                assert code in TRY_AGAIN, answer
                self.outcomes[code] += 1
            await asyncio.sleep(PAUSE_S)
        raise AssertionError(f"{name} is never answered: {self.outcomes}")

    async def _push(self, pusher: Pusher) -> None:
        told = self.told[pusher.partner.code] = Told()
        left = iter(_sends(pusher))

        async def one_after_the_other() -> None:
            for batch_id in left:
                async with self._turns:
                    given = {"input": pusher.input_of(batch_id)}
                    payload = await self.ask(pusher, "PushRewards", given)
                assert payload["userErrors"] == [], payload
                told.answers.setdefault(batch_id, []).append(payload["batch"])
                async with self._news:
                    self.answered += 1
                    self._news.notify_all()

        await asyncio.gather(*(one_after_the_other() for _ in range(OF_ONE_AT_ONCE)))

    async def _look(self, pusher: Pusher) -> None:
        ids = sorted({one.external_id for _, _, one in pusher.plan.items})
        told = self.told[pusher.partner.code]
        for begin in range(0, len(ids), IDS_AT_ONCE):
            given = {"externalIds": ids[begin : begin + IDS_AT_ONCE]}
            async with self._turns:
                partner = await self.ask(pusher, "Receipts", given)
            told.standing |= {one["externalId"]: one for one in partner["receipts"]}


def _sends(pusher: Pusher) -> list[str]:
    """The batches by their ids, each as often as it is sent, in any order."""
    chance = random.Random(pusher.partner.code)
    sends = [one for one in pusher.plan.batches for _ in range(chance.randint(1, SENDS_MAX))]
    chance.shuffle(sends)
    return sends
