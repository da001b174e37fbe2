"""Clients that post until they know: whatever is not answered is sent again, under the same key.

A time-out, a connection that ends and a refusal for want of means say nothing about the effect; it
is unknown, never failed. So every posting ends with its answer, and the books can be checked
against what was acknowledged: nothing lost, nothing twice, the same answer again for each.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from domain import storage
from domain.ledger import verify_account
from tests.faults.serving import Serving
from tests.faults.town import Town
from tests.graphql.gateway import global_id
from tests.graphql.operations import operation
from tests.graphql.orders import order

PAUSE_S: Final = 0.1
"""Between two tries of one posting."""

ANSWER_S_MAX: Final = 15.0
TRIES_MAX: Final = 2_000
TRY_AGAIN: Final = frozenset({"OVERLOADED", "DEADLINE_EXCEEDED", "SERVICE_UNAVAILABLE"})
"""Codes that say: send it again. Any other one is a fault of the gateway."""

UNANSWERED, REFUSED = "unanswered", "refused"
"""Sent, and the connection ended; or there was no connection."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One order of one member, the only one of its batch; `key` is the id of both."""

    key: str
    variables: dict[str, Any]


@dataclass(slots=True)
class Known:
    """What the clients know of one posting: its receipt, and how they came to know it."""

    receipt: dict[str, Any]
    tries: int
    replayed: bool
    """An earlier try had the effect, and its answer was lost."""


def postings(town: Town, number: int, *, prefix: str) -> list[Posting]:
    """So many orders of 88 yuan, dealt to the members in turn."""
    placed_at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    made = []
    for n in range(number):
        key = f"{prefix}-{n}"
        member = global_id("Member", town.members[n % len(town.members)])
        batch = {"batchId": key, "orders": [order(key, member, placedAt=placed_at)]}
        made.append(Posting(key, {"input": batch}))
    return made


@dataclass(slots=True)
class Clients:
    """So many clients that share one list of postings, each sending one at a time."""

    url: str
    token: str
    todo: Sequence[Posting]
    number: int = 8
    known: dict[str, Known] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Post all of it; returns when each posting is answered."""
        left = iter(self.todo)
        limits = httpx.Limits(max_connections=self.number)
        async with (
            httpx.AsyncClient(
                base_url=self.url,
                trust_env=False,
                timeout=ANSWER_S_MAX,
                limits=limits,
                headers={"authorization": f"Bearer {self.token}"},
            ) as http,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(self.number):
                group.create_task(self._client(http, left))

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Clients]:
        """Run beside the block, which must leave them to come to their end."""
        running = asyncio.create_task(self.run())
        try:
            yield self
            await running
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def answered(self, number: int) -> None:
        """Wait until so many postings are answered."""
        while len(self.known) < number:
            self._news.clear()
            async with asyncio.timeout(120):
                await self._news.wait()

    async def next_answer(self) -> None:
        """Wait for one more answer than there are now."""
        await self.answered(len(self.known) + 1)

    async def _client(self, http: httpx.AsyncClient, left: Iterator[Posting]) -> None:
        for posting in left:
            for tries in range(1, TRIES_MAX):
                batch = await self._send(http, posting)
                if batch is not None:
                    [receipt] = batch["receipts"]
                    self.known[posting.key] = Known(receipt, tries, batch["replayed"])
                    self._news.set()
                    break
                await asyncio.sleep(PAUSE_S)
            else:
                raise AssertionError(f"{posting.key} is never answered: {self.outcomes}")

    async def _send(self, http: httpx.AsyncClient, posting: Posting) -> Any:
        """The batch of the answer; None where it is unknown what became of it."""
        body = {"query": operation("RecordPurchases"), "variables": posting.variables}
        try:
            response = await http.post("/graphql", json=body)
        except httpx.ConnectError:
            self.outcomes[REFUSED] += 1
            return None
        except httpx.TransportError:
            self.outcomes[UNANSWERED] += 1
            return None
        answer = response.json()
        if "errors" in answer:
            code = answer["errors"][0]["extensions"]["code"]
            assert code in TRY_AGAIN, answer
            self.outcomes[code] += 1
            return None
        payload = answer["data"]["recordPurchases"]
        assert payload["userErrors"] == [], payload
        self.outcomes["ok"] += 1
        return payload["batch"]


@asynccontextmanager
async def started(gateway: Serving) -> AsyncIterator[Serving]:
    """The gateway begun without holding up this loop, in which others may serve it."""
    await asyncio.to_thread(gateway.__enter__)
    try:
        yield gateway
    finally:
        gateway.__exit__()


async def assert_posted_once(town: Town, clients: Clients) -> None:
    """What was acknowledged is there, each posting once, and every account is sound."""
    await storage.connect(town.database_url)
    try:
        booked = await _booked([posting.key for posting in clients.todo])
        for posting in clients.todo:
            receipt = clients.known[posting.key].receipt
            assert receipt["status"] == "APPLIED", receipt
            assert booked.get(posting.key) == [receipt["pointsEarned"]], (posting.key, receipt)
        entries = await storage.fetch_one("SELECT COUNT(*) AS n FROM points_entry")
        past = await storage.fetch_one(
            "SELECT COUNT(*) AS n FROM purchase WHERE source = $1", "past"
        )
        assert entries is not None
        assert past is not None
        assert entries["n"] == past["n"] + len(clients.todo), "nothing else moved points"
        for member in town.members:
            assert await verify_account(member) == []
    finally:
        await storage.close()


async def assert_answered_alike(clients: Clients) -> None:
    """Every posting that met a fault is sent once more, and gets the answer that it got before."""
    doubted = [one for one in clients.todo if clients.known[one.key].tries > 1]
    again = Clients(clients.url, clients.token, doubted, number=4)
    await again.run()
    for posting in doubted:
        repeated = again.known[posting.key]
        assert repeated.replayed, posting.key
        assert repeated.receipt == clients.known[posting.key].receipt


async def _booked(keys: Sequence[str]) -> dict[str, list[int]]:
    """The points of the entries of each order, by its id."""
    rows = await storage.fetch_all(
        """
        SELECT t.reference, e.amount FROM points_entry AS e
        JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq
        WHERE e.source_kind = 'purchase' AND t.reference = ANY($1::text[])
        """,
        list(keys),
    )
    booked: dict[str, list[int]] = {}
    for row in rows:
        booked.setdefault(row["reference"], []).append(row["amount"])
    return booked
