"""Clients that talk to the fake, sharing one Redis that can be unplugged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import fakeredis
import pytest

from api.fake_wechat import RunningFake
from domain.wechat import AppSecret, WeChatClient, WeChatLimits
from tests.domain.wechat import fixtures
from tests.domain.wechat.mini_program import APPS

_serving_fake = fixtures._serving_fake
clock = fixtures.clock
fake = fixtures.fake
phone = fixtures.phone

SECRETS = {app_id: AppSecret(secret) for app_id, secret in APPS.items()}
PROMPT = WeChatLimits(backoff_seconds=0.001)
"""The usual bounds, with hardly a wait between tries."""

Worker = Callable[..., WeChatClient]


@pytest.fixture
def redis_server() -> fakeredis.FakeServer:
    """A Redis for all workers of a test; `connected = False` unplugs it."""
    return fakeredis.FakeServer()


@pytest.fixture
async def worker(fake: RunningFake, redis_server: fakeredis.FakeServer) -> AsyncIterator[Worker]:
    """Makes clients as workers of their own would: memory apart, Redis shared."""
    open_ends = AsyncExitStack()

    def make(**overrides: Any) -> WeChatClient:
        redis, http = fakeredis.FakeAsyncRedis(server=redis_server), fixtures.quick_http()
        open_ends.push_async_callback(redis.aclose)
        open_ends.push_async_callback(http.aclose)
        options: dict[str, Any] = {
            "apps": SECRETS,
            "redis": redis,
            "http": http,
            "base_url": fake.base_url,
            "limits": PROMPT,
        }
        client = WeChatClient(**options | overrides)
        open_ends.push_async_callback(client.aclose)
        return client

    async with open_ends:
        yield make


@pytest.fixture
def client(worker: Worker) -> WeChatClient:
    """One client."""
    return worker()
