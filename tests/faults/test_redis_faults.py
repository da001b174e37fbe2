"""Redis is stopped, frozen, flushed, or out of memory: what only it holds may be lost, no more.

Two gateways serve the same town side by side under the same load: one whose Redis is well, and one
whose Redis is not. What the fault costs is what the second is slower than the first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import redis as redis_client

from tests.faults.load import Plan, Sent
from tests.faults.loading import Results, Running
from tests.faults.serving import PATIENT, Serving
from tests.faults.town import Town, assert_sound
from tests.graphql.operations import operation
from tests.servers import OwnRedis

SECONDS: Final = 60
SECONDS_SHORT: Final = 6
RATE: Final = 18.0
"""Requests per second to each gateway, every other one a write: far below what they can do."""

P99_FACTOR: Final = 2.0
P99_MORE_S: Final = 0.05

ANONYMOUS_ASKS: Final = 60
LIMITS: Final = {
    "JIFEN_RATES__ADDRESS__CAPACITY": "40",
    "JIFEN_RATES__ADDRESS__RESTORED_PER_MINUTE": "1",
}

Tally = Callable[[str, int, int], None]


@contextlib.asynccontextmanager
async def stopped(server: OwnRedis) -> AsyncIterator[None]:
    await asyncio.to_thread(server.stop)
    yield
    await asyncio.to_thread(server.start_again)


@contextlib.asynccontextmanager
async def frozen(server: OwnRedis) -> AsyncIterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@contextlib.asynccontextmanager
async def flushed(server: OwnRedis) -> AsyncIterator[None]:
    """Emptied every second."""
    lost = 0

    async def flush() -> None:
        nonlocal lost
        with redis_client.Redis.from_url(server.url) as client:
            while True:
                lost += int(client.dbsize())
                client.flushall()
                await asyncio.sleep(1)

    flushing = asyncio.create_task(flush())
    yield
    flushing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await flushing
    assert lost > 0, "there was something to lose"


@contextlib.asynccontextmanager
async def out_of_memory(server: OwnRedis) -> AsyncIterator[None]:
    with redis_client.Redis.from_url(server.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        yield
        errors: Any = client.info("errorstats")
        assert errors["errorstat_OOM"]["count"] > 0, "writes were refused"
        client.config_set("maxmemory", "0")


FAULTS: Final = {
    "stopped": stopped,
    "frozen": frozen,
    "flushed": flushed,
    "out of memory": out_of_memory,
}
AWAY: Final = {"stopped", "frozen"}
FORGETS_NOTHING_NEW: Final = {"flushed"}
"""Where Redis answers as ever, so that sign-ins are counted and go on."""


@pytest.mark.faults
@pytest.mark.quiet
@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_redis_fails_in_every_way(
    town: Town,
    redis_url: str,
    own_redis: OwnRedis,
    tmp_path: Path,
    *,
    full_form: bool,
    tally: Tally,
) -> None:
    seconds = SECONDS if full_form else SECONDS_SHORT
    sent = acknowledged = 0
    with (
        Serving(town, tmp_path, redis_url=redis_url, environment=PATIENT) as steady,
        Serving(town, tmp_path, redis_url=own_redis.url, environment={**PATIENT, **LIMITS}) as hit,
    ):
        await side_by_side(steady, hit, town, tmp_path, seconds=3)  # Warm.
        before = await assert_sound(town)
        for name, fault in FAULTS.items():
            opened = len(hit.logged("redis_breaker_opened"))
            async with fault(own_redis):
                well, ill = await side_by_side(steady, hit, town, tmp_path, seconds=seconds)
                await probe(hit, town, name=name)
            sent += 2 * writes_of(seconds)
            print(
                f"\nRedis {name} for {seconds} s: {len(ill)} requests, {dict(ill.outcomes)}; p99"
                f" {1e3 * ill.quantile(0.99):.0f} ms, beside it {1e3 * well.quantile(0.99):.0f} ms"
                f" (p50 {1e3 * ill.quantile(0.5):.0f} and {1e3 * well.quantile(0.5):.0f} ms)"
            )
            assert_answered(ill, beside=well)
            acknowledged += len(well.ok.where(is_write)) + len(ill.ok.where(is_write))
            assert ill.quantile(0.99) <= P99_FACTOR * well.quantile(0.99) + P99_MORE_S
            assert (len(hit.logged("redis_breaker_opened")) > opened) == (name in AWAY)
            assert await status_of(hit) == "ready", "it is used again by itself"
            tally(f"requests sent while Redis was {name}", len(ill), int(RATE * seconds))
        assert hit.logged("internal_error") == []
    recorded = await assert_sound(town) - before
    assert acknowledged <= recorded <= sent
    floor = sent - sent // 50
    tally("purchases acknowledged while Redis was unwell, and recorded", acknowledged, floor)


def is_write(one: Sent) -> bool:
    return one.number % 2 == 1


def assert_answered(ill: Results, *, beside: Results) -> None:
    """Nothing failed but what a busy machine kept waiting for a connection, beside it too."""
    failed = ill.where(lambda one: one.outcome != "ok")
    assert failed.outcomes.keys() <= {"OVERLOADED"}
    assert len(failed) <= len(beside) - len(beside.ok) + len(ill) / 50


def writes_of(seconds: int) -> int:
    return int(RATE * seconds) // 2


async def side_by_side(
    steady: Serving, hit: Serving, town: Town, folder: Path, *, seconds: int
) -> tuple[Results, Results]:
    """The same load on both at the same time."""
    async with contextlib.AsyncExitStack() as stack:
        under_way = []
        for gateway in (steady, hit):
            number = writes_of(seconds)
            writes = list(town.purchases(number, prefix=f"redis-{gateway.port}"))
            reads = town.home_requests()
            mixed = [
                one for n, write in enumerate(writes) for one in (reads[n % len(reads)], write)
            ]
            plan = Plan(port=gateway.port, requests=mixed, seconds=seconds, rate=RATE)
            under_way.append(await stack.enter_async_context(Running(folder, plan)))
        well, ill = [await running.results() for running in under_way]
        return well, ill


async def probe(gateway: Serving, town: Town, *, name: str) -> None:
    """That who may not still may not, and that limits hold, while Redis is unwell."""
    # Each fault is met by addresses of its own.
    crowd, stranger, guesser = (f"203.0.{number}.{len(name)}" for number in (1, 2, 3))
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=10) as http:

        async def ask(
            query: str, address: str, token: str | None = None, *, tries: int = 5, **more: Any
        ) -> Any:
            headers = {"x-forwarded-for": address}
            if token is not None:
                headers["authorization"] = f"Bearer {token}"
            for _ in range(tries):
                answer = await http.post("/graphql", json={"query": query, **more}, headers=headers)
                codes = [one["extensions"]["code"] for one in answer.json().get("errors", ())]
                if codes != ["OVERLOADED"]:
                    break  # A busy machine may keep one waiting for a connection.
            return answer.status_code, codes

        for bad in (town.signed_out_token, town.shop_token[:-6] + "AAAAAA", "nonsense"):
            assert await ask("{ me { id } }", stranger, bad) == (401, ["UNAUTHENTICATED"])
        purchase = {"input": {"batchId": "x", "orders": []}}
        refused = await ask(
            operation("RecordPurchases"), stranger, town.member_tokens[0], variables=purchase
        )
        assert refused[1] == ["FORBIDDEN"]
        crowded = [await ask("{ program { name } }", crowd) for _ in range(ANONYMOUS_ASKS)]
        limited = [codes for _, codes in crowded if codes]
        assert {code for codes in limited for code in codes} == {"RATE_LIMITED"}
        assert len(limited) >= ANONYMOUS_ASKS - 41
        if name not in FORGETS_NOTHING_NEW:
            credentials = {"input": {"appId": "wx-town", "code": "a-code"}}
            sign_in = operation("SignInWithWeChat")
            guess = await ask(sign_in, guesser, tries=1, variables=credentials)
            assert guess == (503, ["OVERLOADED"]), "nobody could count the guesses"
        status = (await http.get("/readyz")).json()["status"]
        assert status == ("degraded" if name in AWAY else "ready")


async def status_of(gateway: Serving) -> str:
    """What `/readyz` says, once the breaker has had time to try again."""
    await asyncio.sleep(2.2)
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=5) as http:
        status: str = (await http.get("/readyz")).json()["status"]
        return status
