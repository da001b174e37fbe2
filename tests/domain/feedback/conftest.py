"""A fake WeChat, and the phones of those who write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import fakeredis
import pytest

from api.fake_wechat import RunningFake
from domain.access import AccessTokens, KeyRing
from domain.wechat import AppSecret, WeChatClient, WeChatLimits
from tests.domain.feedback.asking import Asking, StandingMoment
from tests.domain.wechat import fixtures
from tests.domain.wechat.mini_program import APPS, MiniProgram

_serving_fake = fixtures._serving_fake
clock = fixtures.clock
fake = fixtures.fake
phone = fixtures.phone


@pytest.fixture
async def asking(
    database: str, fake: RunningFake, phone: MiniProgram, tmp_path: Path
) -> AsyncIterator[Asking]:
    """A service desk whose members are known to WeChat."""
    moment = StandingMoment()
    keys = KeyRing(tmp_path / "keys.json", now=moment(), create_missing=True)
    async with fakeredis.FakeAsyncRedis() as redis, fixtures.quick_http() as http:
        yield Asking(
            fake=fake,
            phone=phone,
            moment=moment,
            tokens=AccessTokens(keys, "https://jifen.example"),
            wechat=WeChatClient(
                apps={app_id: AppSecret(secret) for app_id, secret in APPS.items()},
                redis=redis,
                http=http,
                base_url=fake.base_url,
                limits=WeChatLimits(
                    deadline_seconds=2.0,
                    read_timeout_seconds=0.25,
                    tries_max=1,
                    backoff_seconds=0.001,
                ),
            ),
        )
