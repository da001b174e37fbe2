"""Signing in by phone, as an app does it; and a gateway whose text messages are read here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from api.fake_wechat import DEMO_APP_ID, RunningFake
from api.settings import Settings
from api.telling.settings import SmsSettings
from tests.domain.texting.receiver import SECRET, Receiver
from tests.graphql.gateway import Gateway, Session, open_gateway
from tests.graphql.operations import operation


@dataclass(frozen=True, slots=True)
class Telephones:
    """The telephones of everybody who takes text messages of one gateway."""

    gateway: Gateway
    receiver: Receiver

    async def ask(self, name: str, given: dict[str, Any], **headers: str) -> httpx.Response:
        """Send one planned operation with this input."""
        body = {"query": operation(name), "variables": {"input": given}}
        return await self.gateway.http.post("/graphql", json=body, headers=headers)

    async def code(self, phone: str) -> str:
        """The code that arrives on the telephone, asked for now."""
        answer = await self.gateway.send("RequestSignInCode", input={"phone": phone})
        assert answer == {"sent": True, "resendAfter": 60, "userErrors": []}
        return self.receiver.code(phone)

    async def sign_in(self, phone: str) -> Session:
        """Ask for a code and type it in."""
        given = {"phone": phone, "code": await self.code(phone)}
        answer = await self.gateway.send("SignInWithPhone", input=given)
        assert answer["userErrors"] == []
        session = answer["session"]
        return Session(
            access_token=session["accessToken"],
            access_token_expires_at=session["accessTokenExpiresAt"],
            refresh_token=session["refreshToken"],
            is_new_member=session["isNewMember"],
            member_id=session["member"]["id"],
        )

    async def bind(self, token: str, phone: str, *, app_id: str = DEMO_APP_ID) -> Any:
        """`getPhoneNumber` in the mini-program, then the mutation; its answer."""
        code = await self.gateway.phone.phone(phone=phone.removeprefix("+86"), appId=app_id)
        return await self.gateway.send("BindPhone", token, input={"appId": app_id, "code": code})


@asynccontextmanager
async def open_telephones(
    settings: Settings, fake: RunningFake, receiver: Receiver
) -> AsyncIterator[Telephones]:
    """The gateway of these settings, whose text messages the receiver takes."""
    sms = SmsSettings(url=receiver.url, secret=SecretStr(SECRET))
    async with open_gateway(settings.model_copy(update={"sms": sms}), fake) as gateway:
        yield Telephones(gateway=gateway, receiver=receiver)
