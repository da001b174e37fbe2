"""Redis frozen, killed, emptied, full: limits hold all the same, and nobody is let in untold."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pytest
from redis import asyncio as aioredis

from api.fake_wechat import DEMO_APP_ID, RunningFake
from api.rates.settings import BucketSettings, RateSettings
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.domain.wechat import fixtures as wechat
from tests.graphql.gateway import NOW, Gateway, open_gateway, settings_for
from tests.graphql.operations import operation
from tests.graphql.programme import set_up_programme
from tests.servers.redis_server import OwnRedis

pytestmark = [pytest.mark.faults, pytest.mark.quiet]

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake

LIMIT = 30
ASK = "{__typename}"
SOON_S = 15.0
FROZEN_MS = 4_000
TRIED_WHILE_FROZEN_MAX = 10
"""Commands that reach a frozen Redis before it is left alone, and run when it goes on."""

Fault: TypeAlias = Callable[[OwnRedis], AbstractAsyncContextManager[None]]


@pytest.fixture
async def server(report: ClosingReport) -> AsyncIterator[OwnRedis]:
    """A Redis of this test alone."""
    executable = shutil.which("redis-server")
    if executable is None:
        part_is_missing(report, "redis", "no redis-server on PATH")
    server = OwnRedis(executable)
    report.parts["redis"] = f"{server.version} from PATH"
    yield server
    server.close()


@asynccontextmanager
async def frozen(server: OwnRedis) -> AsyncIterator[None]:
    """Takes commands and answers none, for a while; then it runs them all."""
    async with aioredis.Redis.from_url(server.url) as redis:
        await redis.execute_command("CLIENT", "PAUSE", FROZEN_MS, "ALL")  # type: ignore[no-untyped-call]  # the driver's
        yield
        await redis.ping()


async def restarted(server: OwnRedis) -> None:
    port = urlsplit(server.url).port
    assert port is not None
    server.process.kill()
    await asyncio.to_thread(server._start, port)


@asynccontextmanager
async def killed(server: OwnRedis) -> AsyncIterator[None]:
    """Is not there."""
    server.process.kill()
    yield
    await restarted(server)


@asynccontextmanager
async def full(server: OwnRedis) -> AsyncIterator[None]:
    """Takes nothing more."""
    async with aioredis.Redis.from_url(server.url) as redis:
        await redis.config_set("maxmemory", "1")
        yield
        await redis.config_set("maxmemory", "0")


async def code_of(gateway: Gateway, token: str) -> str | None:
    answer = (await gateway.ask(ASK, token=token)).json()
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None


async def answered(gateway: Gateway, token: str) -> int:
    """How many requests are answered before one is refused."""
    for count in range(10 * LIMIT):
        code = await code_of(gateway, token)
        if code is not None:
            assert code == "RATE_LIMITED"
            return count
    raise AssertionError("there was no limit")


async def until_shared_again(gateway: Gateway, token: str) -> None:
    """Until what the process gives by itself, which is spent, no longer counts."""
    async with asyncio.timeout(SOON_S):
        while await code_of(gateway, token) is not None:  # noqa: ASYNC110 - what is asked is HTTP
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("fault", "remembers"),
    [(frozen, True), (killed, False), (full, True)],
    ids=["frozen", "killed", "full"],
)
async def test_limits_hold_without_redis(
    server: OwnRedis,
    sqlite_url: str,
    tmp_path: Path,
    fake: RunningFake,
    fault: Fault,
    remembers: bool,
) -> None:
    settings = settings_for(sqlite_url, tmp_path, fake)
    rates = RateSettings().model_copy(
        update={"member": BucketSettings(capacity=LIMIT, restored_per_minute=1)}
    )
    update = {"redis_url": server.url, "rates": rates}
    async with open_gateway(settings.model_copy(update=update), fake) as gateway:
        await set_up_programme(now=NOW)
        await gateway.ask(ASK)  # So that the document is known.
        alice = await gateway.sign_in()
        for _ in range(10):
            assert await code_of(gateway, alice.access_token) is None

        async with fault(server):
            assert await answered(gateway, alice.access_token) == LIMIT
            # Who asks is looked at as ever.
            bad = await gateway.ask(ASK, token=alice.access_token[:-4])
            assert bad.status_code == 401
            for query, given in (
                ("SignInWithWeChat", {"appId": DEMO_APP_ID, "code": await gateway.login()}),
                ("RefreshSession", {"refreshToken": alice.refresh_token}),
            ):
                refused = await gateway.ask(operation(query), {"input": given})
                assert (refused.status_code, refused.headers["retry-after"]) in [
                    (503, "1"),
                    (503, "2"),
                    (503, "3"),
                ]
                (error,) = refused.json()["errors"]
                assert error["extensions"]["code"] == "OVERLOADED"
            assert await gateway.phone.calls() == {"jscode2session": 1}

        await until_shared_again(gateway, alice.access_token)
        expected = (LIMIT - 10 if remembers else LIMIT) - 1
        tried = TRIED_WHILE_FROZEN_MAX if fault is frozen else 0
        assert expected - tried <= await answered(gateway, alice.access_token) <= expected
        renewed = await gateway.send("RefreshSession", input={"refreshToken": alice.refresh_token})
        assert renewed["userErrors"] == []
