"""Signing in while WeChat is slow, with the bounds of production."""

from __future__ import annotations

import time
from pathlib import Path

from api.fake_wechat import DEMO_APP_ID, RunningFake
from tests.graphql.gateway import open_gateway, settings_for
from tests.graphql.kept import everything_kept


async def test_slow_wechat_is_given_up_before_the_mini_program_is_killed(
    sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    """Within the five seconds that a mini-program has in the background.

    It takes them, and no database: hence once.
    """
    async with open_gateway(settings_for(sqlite_url, tmp_path, fake), fake) as gateway:
        code = await gateway.login()
        await gateway.phone.break_endpoint("jscode2session", slow=60)
        before = await everything_kept()
        began = time.monotonic()

        payload = await gateway.send("SignInWithWeChat", input={"appId": DEMO_APP_ID, "code": code})

        assert 2.9 < time.monotonic() - began < 4
        assert payload["session"] is None
        assert [(error["code"], error["retryable"]) for error in payload["userErrors"]] == [
            ("WECHAT_UNAVAILABLE", True)
        ]
        assert await gateway.phone.calls() == {"jscode2session": 1}, "it may have used the code up"
        assert await everything_kept() == before
