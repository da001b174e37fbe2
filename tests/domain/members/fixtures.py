"""Members who sign in through the fake WeChat. For every folder whose tests need members."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import fakeredis
import pytest

from api.fake_wechat import DEMO_APP_ID, RunningFake
from domain.access import AccessTokens
from domain.members import SignedIn, SignInWithWeChat, sign_in_with_wechat
from domain.storage import fetch_all
from domain.wechat import AppSecret, WeChatClient
from tests.domain.access.fixtures import NOW
from tests.domain.wechat.fixtures import quick_http
from tests.domain.wechat.mini_program import APPS, MiniProgram

TABLES = ("member", "member_identity", "member_interest", "member_session", "refresh_token")


@pytest.fixture
async def wechat(fake: RunningFake) -> AsyncIterator[WeChatClient]:
    """A client of the fake, for all its apps."""
    async with quick_http() as http, fakeredis.FakeAsyncRedis() as redis:
        client = WeChatClient(
            apps={app_id: AppSecret(secret) for app_id, secret in APPS.items()},
            redis=redis,
            base_url=fake.base_url,
            http=http,
        )
        yield client
        await client.aclose()


class Door:
    """Signs people in as their phones would."""

    def __init__(self, phone: MiniProgram, wechat: WeChatClient, tokens: AccessTokens) -> None:
        self.phone, self.wechat, self.tokens = phone, wechat, tokens

    async def sign_in(
        self,
        openid: str = "o-alice",
        *,
        unionid: str | None = None,
        app_id: str = DEMO_APP_ID,
        now: datetime = NOW,
        **options: Any,
    ) -> SignedIn:
        """`wx.login` on the phone, then the use case."""
        code = await self.phone.login(openid=openid, unionid=unionid, appId=app_id)
        command = SignInWithWeChat(app_id=app_id, code=code, **options)
        return await self.use(command, now=now)

    async def use(self, command: SignInWithWeChat, *, now: datetime = NOW) -> SignedIn:
        """The use case alone."""
        return await sign_in_with_wechat(command, wechat=self.wechat, tokens=self.tokens, now=now)


@pytest.fixture
def door(phone: MiniProgram, wechat: WeChatClient, tokens: AccessTokens) -> Door:
    """The way in."""
    return Door(phone, wechat, tokens)


async def everything_kept() -> dict[str, list[dict[str, Any]]]:
    """All rows of this context and of the outbox, to show that a refusal changed nothing."""
    return {
        table: sorted((dict(row) for row in await fetch_all(f"SELECT * FROM {table}")), key=str)
        for table in (*TABLES, "outbox")
    }


async def count(table: str) -> int:
    """How many rows the table has."""
    (row,) = await fetch_all(f"SELECT count(*) AS count FROM {table}")
    number: int = row["count"]
    return number


async def announced() -> list[tuple[str, dict[str, Any]]]:
    """What was announced, kind and facts, in order."""
    import orjson

    rows = await fetch_all("SELECT kind, payload FROM outbox ORDER BY member_id, seq")
    return [(row["kind"], orjson.loads(row["payload"])) for row in rows]
