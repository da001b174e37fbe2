"""What happens on the user's phone, played through the control endpoints of the fake."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from api.fake_wechat import DEMO_APP_ID, DEMO_APP_SECRET

TEMPLATE_ID = "points-changed-template-of-the-fake-wechat0"
OTHER_APP_ID = "wx1111111111111111"
OTHER_APP_SECRET = "secret-of-the-other-app"
APPS = {DEMO_APP_ID: DEMO_APP_SECRET, OTHER_APP_ID: OTHER_APP_SECRET}


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


class MiniProgram:
    """The user's side, and whoever operates the fake."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def control(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A control request that must succeed."""
        answer = await self.http.post(f"/_fake/{path}", json=body)
        assert answer.status_code == 200, answer.text
        fields: dict[str, Any] = answer.json()
        return fields

    async def login(self, **who: str | None) -> str:
        """`wx.login`: the code."""
        code: str = (await self.control("login", {"openid": "o-alice", **who}))["code"]
        return code

    async def phone(self, **details: str) -> str:
        """`getPhoneNumber`: the code."""
        code: str = (await self.control("phone", {"phone": "13800138000", **details}))["code"]
        return code

    async def break_endpoint(self, endpoint: str, **fault: Any) -> None:
        """Inject a fault."""
        await self.control("faults", {"endpoint": endpoint, **fault})

    async def calls(self) -> dict[str, int]:
        """How often each endpoint was called."""
        counts: dict[str, int] = (await self.http.get("/_fake/calls")).json()
        return counts

    async def ask_token(self, *, force_refresh: bool = False, **others: Any) -> dict[str, Any]:
        """`stable_token`, as another service with the app's secret would ask for it."""
        body = {
            "grant_type": "client_credential",
            "appid": DEMO_APP_ID,
            "secret": DEMO_APP_SECRET,
            "force_refresh": force_refresh,
            **others,
        }
        answer: dict[str, Any] = (await self.http.post("/cgi-bin/stable_token", json=body)).json()
        return answer
