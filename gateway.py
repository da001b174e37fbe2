"""The composition root: settings in, an application with everything opened around it out.

uvicorn gateway:app
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from uuid import UUID

from api.app import create_app
from api.health import Check
from api.memory import keep_what_is_loaded
from api.observability.watching import watching_storage
from api.opening import (
    connect_redis,
    keeping_time,
    open_key_ring,
    open_live,
    open_mailing,
    open_phone_keys,
    open_rates,
    open_texting,
    open_wechat,
)
from api.persisted.keeping import KeptDocuments
from api.runtime import Runtime
from api.settings import Settings, read_settings
from api.telling.settings import templates_of
from api.workers.consumers import consumers_with
from api.workers.running import background
from domain import access, games, members, storage
from domain.access import AccessTokens, Caller, CallerKind
from domain.clock import Clock
from domain.games import PartnerGuard
from domain.ledger import AdjustmentRules, TransferLimits
from domain.rewards import RewardRules
from resolvers.context import Principal, Services
from schema.root import build_schema


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Open the database, Redis, WeChat and the keys; close them in the opposite order."""
    async with AsyncExitStack() as stack:
        await storage.connect(settings.database_url, pool=settings.database.gateway_pool)
        stack.push_async_callback(storage.close)
        clock = Clock()
        await storage.synchronise_clock(clock)
        await stack.enter_async_context(watching_storage(now=clock.now))
        redis = connect_redis(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        wechat = open_wechat(settings, redis=redis)
        stack.push_async_callback(wechat.aclose)
        keys = open_key_ring(settings, now=clock.now())
        open_phone_keys(settings, now=clock.now()).vault()
        live = await stack.enter_async_context(open_live(settings.redis_url))
        rates = await stack.enter_async_context(open_rates(settings, redis=redis))
        texts = await stack.enter_async_context(open_texting(settings))
        await stack.enter_async_context(keeping_time(clock))
        await stack.enter_async_context(
            background(settings, clock=clock, consumers=consumers_with(settings, redis=redis))
        )

        async def ping_redis() -> None:
            await redis.ping()

        yield Runtime(
            services=Services(
                wechat=wechat,
                tokens=AccessTokens(keys, settings.issuer),
                live=live,
                rates=rates,
                transfer_limits=TransferLimits(**settings.transfers.model_dump()),
                adjustment_rules=AdjustmentRules(**settings.adjustments.model_dump()),
                reward_rules=RewardRules(**settings.rewards.model_dump()),
                # An audit leaves the rest of its request's time to the last batch.
                audit_within_s=settings.stress.request_s_max / 2,
                texts=texts,
                mails=open_mailing(settings),
                subscribe_templates=templates_of(settings.subscribe_messages),
                cooling=settings.custody.cooling,
                public_url=settings.public_url,
                files=settings.custody.files,
                point_cost_fen=settings.games.point_cost_fen,
            ),
            clock=clock,
            jwks=keys.jwks,
            checks=(
                Check(name="database", probe=_probe_database),
                Check(name="migrations", probe=_probe_migrations),
                Check(name="redis", probe=ping_redis, required=False),
            ),
            confirm=_confirm,
            find_ended=_find_ended,
            guard=_guard,
            kept_documents=KeptDocuments(settings.documents, redis),
        )


async def _confirm(caller: Caller, now: datetime) -> Principal:
    """Whom a good token stands for, in one statement; InvalidAccessToken where it was ended."""
    match caller.kind:
        case CallerKind.MEMBER:
            return await members.authenticate(caller, now=now)
        case CallerKind.SHOP | CallerKind.PARTNER | CallerKind.STAFF:
            return await access.authenticate_account(caller)


async def _guard(account_id: UUID, now: datetime) -> PartnerGuard:
    """The networks and the keys of a partner, in one statement."""
    return await games.partner_guard(account_id, now=now)


async def _find_ended(callers: Collection[Caller], now: datetime) -> frozenset[Caller]:
    """Those who signed out. Nobody but members follows anything; the others' tokens expire."""
    signed_in = [caller for caller in callers if caller.kind is CallerKind.MEMBER]
    return await members.ended(signed_in, now=now)


async def _probe_database() -> None:
    await storage.fetch_one("SELECT 1 AS one")


async def _probe_migrations() -> None:
    missing = await storage.pending_migrations()
    if missing:
        raise RuntimeError(f"migrations are missing: {', '.join(missing)}")


app = create_app(read_settings(), build_schema=build_schema, open_runtime=open_runtime)

keep_what_is_loaded()
