"""Opening what the settings name: Redis, WeChat, the signing keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime

from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from api.embedded_redis import embedded_redis
from api.observability.calls import WatchedHttp
from api.rates.gateway_rates import GatewayRates
from api.rates.shared import SharedBuckets
from api.redis_breaker import guarded_redis
from api.settings import Settings
from api.stress.admission import outside
from domain import storage
from domain.access import KeyRing
from domain.clock import Clock
from domain.mailing import LoggedMails, Mails, NoMails, SmtpMails
from domain.members import PhoneKeyFile, use_phone_keys
from domain.outbox import Live
from domain.texting import (
    LoggedTextMessages,
    NoTextMessages,
    TextingLimits,
    TextMessages,
    WebhookTextMessages,
)
from domain.wechat import AppSecret, WeChatClient, WeChatLimits

CLOCK_SYNCHRONISED_EVERY_S = 60
HINTS_TIMEOUT_S = 1.0
"""Nobody waits for a hint."""


def connect_redis(url: str) -> aioredis.Redis:
    """A client for the Redis at `url`; `memory://` is one inside this process."""
    if url.startswith("memory:"):
        return embedded_redis()
    return guarded_redis(url)


@asynccontextmanager
async def open_live(url: str) -> AsyncIterator[Live]:
    """The streams that are followed here, with hints through the Redis at `url`.

    They have a client of their own, which listens for as long as it lives. With `memory://` there
    are no hints, and positions are compared each second.
    """
    if url.startswith("memory:"):
        live = Live()
        async with live.running():
            yield live
        return
    redis: aioredis.Redis = aioredis.Redis.from_url(
        url,
        socket_timeout=HINTS_TIMEOUT_S,
        socket_connect_timeout=HINTS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    async with redis:
        live = Live(redis=redis)
        async with live.running():
            yield live


@asynccontextmanager
async def open_rates(settings: Settings, *, redis: aioredis.Redis) -> AsyncIterator[GatewayRates]:
    """The buckets of callers: in Redis, or with `memory://` in this process, which is alone."""
    is_alone = settings.redis_url.startswith("memory:")
    rates = GatewayRates(
        settings.rates,
        shared=None if is_alone else SharedBuckets(redis),
        workers=settings.workers,
    )
    try:
        yield rates
    finally:
        await rates.close()


def open_wechat(settings: Settings, *, redis: aioredis.Redis) -> WeChatClient:
    """The client for the programme's mini-programs. Its calls end before requests must."""
    return WeChatClient(
        apps={
            app_id: AppSecret(secret.get_secret_value())
            for app_id, secret in settings.wechat_apps.items()
        },
        redis=redis,
        base_url=settings.wechat_url,
        limits=WeChatLimits(deadline_seconds=settings.stress.wechat_s_max),
        waiting=outside,
        make_http=WatchedHttp,
    )


@asynccontextmanager
async def open_texting(settings: Settings) -> AsyncIterator[TextMessages]:
    """Whoever sends text messages: the merchant's service, in development the log, else nobody."""
    sms = settings.sms
    if not sms.url:
        yield NoTextMessages() if settings.is_production else LoggedTextMessages()
        return
    assert sms.secret is not None, "the settings saw to it"
    # Its calls end before requests must, like WeChat's.
    within_s = settings.stress.wechat_s_max
    sender = WebhookTextMessages(
        url=sms.url,
        secret=sms.secret.get_secret_value(),
        limits=TextingLimits(deadline_s=within_s, try_s=within_s / 2),
        waiting=outside,
        make_http=WatchedHttp,
    )
    try:
        yield sender
    finally:
        await sender.aclose()


def open_mailing(settings: Settings) -> Mails:
    """Whoever sends mails that a request waits for: the mail server, in development the log.

    In production without a mail server nobody.
    """
    server = settings.smtp.server
    if server is None:
        return NoMails() if settings.is_production else LoggedMails()
    # Its calls end before requests must, like WeChat's.
    within_s = min(server.deadline_s, settings.stress.wechat_s_max)
    return SmtpMails(replace(server, deadline_s=within_s), waiting=outside)


def open_mails(settings: Settings) -> Mails:
    """Whoever sends mails that nobody waits for: the mail server, else the log."""
    server = settings.smtp.server
    return LoggedMails() if server is None else SmtpMails(server)


def open_key_ring(settings: Settings, *, now: datetime) -> KeyRing:
    """The signing keys; in development a missing key set is made."""
    return KeyRing(settings.key_set_path, now=now, create_missing=not settings.is_production)


def open_phone_keys(settings: Settings, *, now: datetime) -> PhoneKeyFile:
    """Let this process keep phone numbers; the file is read when a number is first needed.

    In development a missing file is made.
    """
    keys = PhoneKeyFile(
        settings.phone_keys_file, now=now, create_missing=not settings.is_production
    )
    use_phone_keys(keys)
    return keys


@asynccontextmanager
async def keeping_time(clock: Clock) -> AsyncIterator[None]:
    """Correct the clock by the database's every minute during the block."""
    keeping = asyncio.create_task(_keep_time(clock))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


async def _keep_time(clock: Clock) -> None:
    while True:
        await asyncio.sleep(CLOCK_SYNCHRONISED_EVERY_S)
        # A database that is down keeps the offset it had; readiness tells of it.
        with suppress(Exception):
            await storage.synchronise_clock(clock)
