"""Every wait is bounded, each within the next: what is held up is told so in time, and lets go.

The real gateway over PostgreSQL, with what holds it up made by others: locks, slow statements, a
database that hangs, WeChat. Durations are those of production.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from api.fake_wechat import DEMO_APP_ID, RunningFake
from domain import storage
from tests.domain.wechat import fixtures as wechat
from tests.graphql.gateway import NOW, Gateway, Session, open_gateway, settings_for
from tests.graphql.operations import operation
from tests.graphql.orders import applied, order, record
from tests.graphql.programme import set_up_programme
from tests.servers.relay import Relay, relayed

pytestmark = [pytest.mark.faults, pytest.mark.quiet]

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake

SLOW_INSERTS = """
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(20); RETURN NEW; END $$;
    CREATE TRIGGER dawdle BEFORE INSERT ON purchase FOR EACH ROW EXECUTE FUNCTION dawdle();
"""
SWIFT_INSERTS = "DROP TRIGGER dawdle ON purchase"


@dataclass(frozen=True, slots=True)
class Scene:
    """A gateway with one member and the shop's token; `direct` is the database beside it."""

    gateway: Gateway
    alice: Session
    shop: str
    direct: asyncpg.Connection
    relay: Relay

    async def buy(self, name: str) -> httpx.Response:
        """One order of Alice's."""
        batch = {"batchId": name, "orders": [order(name, self.alice.member_id)]}
        return await self.gateway.ask(
            operation("RecordPurchases"), {"input": batch}, token=self.shop
        )

    async def recorded(self) -> int:
        """How many purchases there are."""
        return int(await self.direct.fetchval("SELECT COUNT(*) FROM purchase"))


@pytest.fixture
async def scene(postgres_url: str, tmp_path: Path, fake: RunningFake) -> AsyncIterator[Scene]:
    """A gateway that reaches its database through a relay."""
    async with (
        relayed(postgres_url) as (relay, url),
        open_gateway(settings_for(url, tmp_path, fake), fake) as gateway,
    ):
        await set_up_programme(now=NOW)
        direct = await asyncpg.connect(postgres_url)
        try:
            yield Scene(
                gateway=gateway,
                alice=await gateway.sign_in(),
                shop=await gateway.shop(),
                direct=direct,
                relay=relay,
            )
        finally:
            await direct.close()


async def timed(work: Awaitable[httpx.Response]) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return await work, time.monotonic() - began


def assert_overloaded(response: httpx.Response) -> None:
    """503 and when to come back, whatever it was that took too long."""
    assert response.status_code == 503, response.text
    assert response.headers["retry-after"] in {"1", "2", "3"}
    for error in response.json()["errors"]:
        assert error["extensions"]["code"] == "OVERLOADED"
        assert error["extensions"]["retryable"] is True
        assert error["extensions"]["retryAfter"] in {1, 2, 3}


async def until(there: Callable[[], bool]) -> None:
    """Let this process go on until something is so."""
    async with asyncio.timeout(5):
        for _ in count():
            if there():
                return
            await asyncio.sleep(0.01)


async def assert_nothing_held() -> None:
    """Every connection comes back to the pool."""

    def is_idle() -> bool:
        statistics = storage.connection_statistics()
        return statistics["idle"] == statistics["open"] > 0

    await until(is_idle)


async def test_a_lock_that_others_hold_is_waited_for_a_second_and_once_more(scene: Scene) -> None:
    assert applied((await scene.buy("first")).json()["data"]["recordPurchases"]) == [88]
    async with scene.direct.transaction():
        await scene.direct.execute("SELECT * FROM points_account FOR UPDATE")
        response, seconds = await timed(scene.buy("second"))
    assert_overloaded(response)
    assert 0.9 < seconds < 2.9
    await assert_nothing_held()
    assert await scene.recorded() == 1
    assert applied((await scene.buy("second")).json()["data"]["recordPurchases"]) == [88]


async def test_a_statement_may_take_two_seconds(scene: Scene) -> None:
    await scene.direct.execute(SLOW_INSERTS)
    response, seconds = await timed(scene.buy("slow"))
    assert_overloaded(response)
    assert 1.9 < seconds < 2.9
    await assert_nothing_held()
    assert await scene.recorded() == 0
    await scene.direct.execute(SWIFT_INSERTS)
    assert applied((await scene.buy("slow")).json()["data"]["recordPurchases"]) == [88]


async def test_a_free_connection_is_waited_for_a_moment(scene: Scene) -> None:
    release = asyncio.Event()

    async def hold() -> None:
        async def wait() -> None:
            await storage.fetch_one("SELECT 1 AS one")
            await release.wait()

        await storage.transaction(wait)

    held = [asyncio.create_task(hold()) for _ in range(10)]
    await until(lambda: storage.connection_statistics() == {"open": 10, "idle": 0})
    reading, read_s = await timed(scene.gateway.ask("{ program { name } }"))
    assert_overloaded(reading)
    assert 0.2 < read_s < 0.8
    # Whose token cannot be looked up is told the same, as soon.
    writing, write_s = await timed(scene.buy("busy"))
    assert_overloaded(writing)
    assert 0.2 < write_s < 0.8
    release.set()
    await asyncio.gather(*held)
    await assert_nothing_held()
    assert (await scene.gateway.ask("{ program { name } }")).status_code == 200


async def test_a_database_that_hangs_is_given_up_before_the_deadline(scene: Scene) -> None:
    scene.relay.freeze()
    answers = await asyncio.gather(
        timed(scene.gateway.ask("{ program { name } }")),
        timed(scene.buy("hanging")),
        timed(scene.gateway.http.get("/readyz")),
    )
    for response, seconds in answers[:2]:
        assert_overloaded(response)
        assert seconds < 4.0
    ready, ready_s = answers[2]
    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    assert ready_s < 1.0  # Two probes of 200 ms each, on a machine that may be busy.
    scene.relay.thaw()
    async with asyncio.timeout(5):
        for _ in count():
            if (await scene.buy("hanging")).status_code == 200:
                break
    await assert_nothing_held()
    assert await scene.recorded() == 1


async def test_thirty_sign_ins_against_a_slow_wechat_end_at_the_deadline(scene: Scene) -> None:
    phone = scene.gateway.phone
    await phone.break_endpoint("jscode2session", slow=60)
    fields = " ".join(
        f"a{number}: signInWithWeChat(input: $input) {{ userErrors {{ code }} }}"
        for number in range(30)
    )
    query = f"mutation M($input: SignInWithWeChatInput!) {{ {fields} }}"
    variables = {"input": {"appId": DEMO_APP_ID, "code": await scene.gateway.login("o-slow")}}
    response, seconds = await timed(scene.gateway.ask(query, variables))
    assert response.status_code == 504
    (error,) = response.json()["errors"]
    assert error["extensions"] == {
        "code": "DEADLINE_EXCEEDED",
        "retryable": True,
        "outcome": "UNKNOWN",
        "requestId": response.headers["x-request-id"],
    }
    assert 3.9 < seconds < 4.5
    assert scene.gateway.app.state.places.inside == 0
    await assert_nothing_held()


@pytest.fixture
async def hasty(
    postgres_url: str, tmp_path: Path, fake: RunningFake
) -> AsyncIterator[tuple[Gateway, asyncpg.Connection]]:
    """A gateway whose deadline passes while a statement may still run."""
    settings = settings_for(postgres_url, tmp_path, fake)
    stress = settings.stress.model_copy(update={"batch_request_s_max": 0.5})
    async with open_gateway(settings.model_copy(update={"stress": stress}), fake) as gateway:
        await set_up_programme(now=NOW)
        direct = await asyncpg.connect(postgres_url)
        try:
            yield gateway, direct
        finally:
            await direct.close()


async def test_what_the_deadline_cuts_short_is_rolled_back(
    hasty: tuple[Gateway, asyncpg.Connection],
) -> None:
    gateway, direct = hasty
    alice, shop = await gateway.sign_in(), await gateway.shop()
    await direct.execute(SLOW_INSERTS)
    batch = {"batchId": "cut", "orders": [order("cut", alice.member_id)]}
    response, seconds = await timed(
        gateway.ask(operation("RecordPurchases"), {"input": batch}, token=shop)
    )
    assert response.status_code == 504
    assert response.json()["errors"][0]["extensions"]["outcome"] == "UNKNOWN"
    assert 0.4 < seconds < 1.0
    await assert_nothing_held()
    held = "state LIKE 'idle in transaction%' AND datname = current_database()"
    assert await direct.fetchval(f"SELECT COUNT(*) FROM pg_stat_activity WHERE {held}") == 0
    assert await direct.fetchval("SELECT COUNT(*) FROM purchase") == 0
    await direct.execute(SWIFT_INSERTS)
    assert applied(await record(gateway, "cut", batch["orders"], token=shop)) == [88]  # type: ignore[arg-type]


async def test_another_writer_of_sqlite_is_waited_for_within_the_deadline(
    sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    async with open_gateway(settings_for(sqlite_url, tmp_path, fake), fake) as gateway:
        await set_up_programme(now=NOW)
        alice, shop = await gateway.sign_in(), await gateway.shop()
        other = sqlite3.connect(sqlite_url.removeprefix("sqlite://"), isolation_level=None)
        batch: dict[str, Any] = {"batchId": "b", "orders": [order("b", alice.member_id)]}
        with contextlib.closing(other):
            other.execute("BEGIN IMMEDIATE")
            response, seconds = await timed(
                gateway.ask(operation("RecordPurchases"), {"input": batch}, token=shop)
            )
            other.execute("ROLLBACK")
        assert_overloaded(response)
        assert 0.9 < seconds < 3.9
        await assert_nothing_held()
        assert applied(await record(gateway, "b", batch["orders"], token=shop)) == [88]
