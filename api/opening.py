"""Opening what the settings name: Redis, WeChat, the signing keys."""

from __future__ import annotations

from datetime import datetime

import fakeredis
from redis import asyncio as aioredis

from api.settings import Settings
from domain.access import KeyRing
from domain.wechat import AppSecret, WeChatClient

REDIS_TIMEOUT_S = 0.05
"""Redis holds only what may be lost: whoever waits longer for it does without."""


def connect_redis(url: str) -> aioredis.Redis:
    """A client for the Redis at `url`; `memory://` is one inside this process."""
    if url.startswith("memory:"):
        memory: aioredis.Redis = fakeredis.FakeAsyncRedis()
        return memory
    client: aioredis.Redis = aioredis.Redis.from_url(
        url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
    )
    return client


def open_wechat(settings: Settings, *, redis: aioredis.Redis) -> WeChatClient:
    """The client for the programme's mini-programs."""
    return WeChatClient(
        apps={
            app_id: AppSecret(secret.get_secret_value())
            for app_id, secret in settings.wechat_apps.items()
        },
        redis=redis,
        base_url=settings.wechat_url,
    )


def open_key_ring(settings: Settings, *, now: datetime) -> KeyRing:
    """The signing keys; in development a missing key set is made."""
    return KeyRing(settings.key_set_path, now=now, create_missing=not settings.is_production)
