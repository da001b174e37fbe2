"""The access token of each app: kept, renewed before its end, replaced when WeChat refuses it.

A renewal asks three places in this order, each only if the one before had nothing usable:

1. this process's memory, under a lock of the process (so that 20 calls at once renew once);
2. Redis, where another worker may have put a newer token, under a lock among workers;
3. WeChat, in the ordinary mode, which answers the current token of the app. Only if WeChat calls
   that very token refused is a new one forced (`force_refresh`): forcing makes the old token
   invalid for everybody, works 20 times a day and once in 30 seconds.

"Usable" excludes the refused token by its value, so whoever holds an old token adopts the new one
instead of replacing it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from domain.wechat.credentials import AccessToken, AppSecret
from domain.wechat.shared_tokens import HeldToken, SharedTokens
from domain.wechat.transport import WeChatRequest, WeChatTransport

_EXPIRES_IN_SECONDS_MAX: Final = 7200
_RENEWAL_MARGIN_SECONDS: Final = 200
"""WeChat answers a new token from 300 seconds before the end of the old one, which serves on."""


@dataclass(frozen=True, slots=True)
class App:
    """One mini-program of the programme."""

    app_id: str
    secret: AppSecret


class StableTokens:
    """The tokens of all apps, as one process sees them."""

    def __init__(
        self,
        *,
        transport: WeChatTransport,
        shared: SharedTokens,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._shared = shared
        self._monotonic = monotonic
        self._held: dict[str, HeldToken] = {}
        self._renewals: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def current(self, app: App) -> AccessToken:
        """The token to call with. Raises `WeChatUnavailable` or `UnknownApp`."""
        return await self._usable_or_renewed(app, refused=None)

    async def replace(self, app: App, *, refused: AccessToken) -> AccessToken:
        """The token to call with after WeChat refused this one."""
        return await self._usable_or_renewed(app, refused=refused)

    async def _usable_or_renewed(self, app: App, *, refused: AccessToken | None) -> AccessToken:
        held = self._usable(self._held.get(app.app_id), refused=refused)
        if held is None:
            async with self._renewals[app.app_id]:
                held = self._usable(self._held.get(app.app_id), refused=refused)
                if held is None:
                    held = await self._shared_or_renewed(app, refused=refused)
                    self._held[app.app_id] = held
        return held.token

    async def _shared_or_renewed(self, app: App, *, refused: AccessToken | None) -> HeldToken:
        held = self._usable(await self._shared.read(app.app_id), refused=refused)
        if held is not None:
            return held
        async with self._shared.turn(app.app_id):
            held = self._usable(await self._shared.read(app.app_id), refused=refused)
            if held is not None:
                return held
            renewed = await self._renew(app, refused=refused)
            return await self._shared.offer(app.app_id, offered=renewed, refused=refused)

    async def _renew(self, app: App, *, refused: AccessToken | None) -> HeldToken:
        renewed = await self._fetch(app, force_refresh=False)
        if renewed.token == refused:
            renewed = await self._fetch(app, force_refresh=True)
        return renewed

    async def _fetch(self, app: App, *, force_refresh: bool) -> HeldToken:
        asked_at = self._monotonic()
        answer = await self._transport.exchange(
            WeChatRequest(
                method="POST",
                path="/cgi-bin/stable_token",
                repeatable=not force_refresh,
                body={
                    "grant_type": "client_credential",
                    "appid": app.app_id,
                    "secret": app.secret.reveal(),
                    "force_refresh": force_refresh,
                },
            )
        )
        answer.require_ok()
        token = AccessToken(answer.text("access_token"))
        expires_in = answer.fields.get("expires_in")
        if type(expires_in) is not int or not 0 < expires_in <= _EXPIRES_IN_SECONDS_MAX:
            raise answer.malformed("expires_in")
        margin = min(_RENEWAL_MARGIN_SECONDS, expires_in // 2)
        return HeldToken(token=token, renew_at=asked_at + expires_in - margin)

    def _usable(self, held: HeldToken | None, *, refused: AccessToken | None) -> HeldToken | None:
        if held is None or held.token == refused or held.renew_at <= self._monotonic():
            return None
        return held
