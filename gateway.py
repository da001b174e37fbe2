"""The composition root: settings in, an application with everything opened around it out.

uvicorn gateway:app
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime

from api.app import create_app
from api.health import Check
from api.opening import connect_redis, open_key_ring, open_wechat
from api.runtime import Runtime
from api.settings import Settings, read_settings
from domain import access, members, storage
from domain.access import AccessTokens, Caller, CallerKind
from domain.clock import Clock
from resolvers.context import Principal, Services
from schema.root import build_schema

CLOCK_SYNCHRONISED_EVERY_S = 60


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Open the database, Redis, WeChat and the keys; close them in the opposite order."""
    async with AsyncExitStack() as stack:
        await storage.connect(settings.database_url)
        stack.push_async_callback(storage.close)
        clock = Clock()
        await storage.synchronise_clock(clock)
        redis = connect_redis(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        wechat = open_wechat(settings, redis=redis)
        stack.push_async_callback(wechat.aclose)
        keys = open_key_ring(settings, now=clock.now())
        keeping_time = asyncio.create_task(_keep_time(clock))
        stack.push_async_callback(_stop, keeping_time)

        async def ping_redis() -> None:
            await redis.ping()

        yield Runtime(
            services=Services(wechat=wechat, tokens=AccessTokens(keys, settings.issuer)),
            clock=clock,
            jwks=keys.jwks,
            checks=(
                Check(name="database", probe=_probe_database),
                Check(name="migrations", probe=_probe_migrations),
                Check(name="redis", probe=ping_redis, required=False),
            ),
            confirm=_confirm,
        )


async def _confirm(caller: Caller, now: datetime) -> Principal:
    """Whom a good token stands for, in one statement; InvalidAccessToken where it was ended."""
    match caller.kind:
        case CallerKind.MEMBER:
            return await members.authenticate(caller, now=now)
        case CallerKind.STAFF:
            return await access.authenticate_staff(caller)
        case CallerKind.SHOP | CallerKind.PARTNER:
            return await access.authenticate_client(caller)


async def _probe_database() -> None:
    await storage.fetch_one("SELECT 1 AS one")


async def _probe_migrations() -> None:
    missing = await storage.pending_migrations()
    if missing:
        raise RuntimeError(f"migrations are missing: {', '.join(missing)}")


async def _keep_time(clock: Clock) -> None:
    while True:
        await asyncio.sleep(CLOCK_SYNCHRONISED_EVERY_S)
        # A database that is down keeps the offset it had; readiness tells of it.
        with suppress(Exception):
            await storage.synchronise_clock(clock)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


app = create_app(read_settings(), build_schema=build_schema, open_runtime=open_runtime)
