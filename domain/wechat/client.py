"""The client: one method for each thing Jifen asks of WeChat.

All methods share these promises:

- an app id that is not configured raises `UnknownApp` without a network call;
- the call ends within `WeChatLimits.deadline_seconds`, with `WeChatUnavailable` if need be;
- errcodes that a caller can act on are refusals or typed outcomes, all others `WeChatFault`;
- a refused access token is replaced and the call repeated once (WeChat refuses it before acting).

Never call from inside a database transaction: the wait would hold its locks.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import cache
from typing import Any, Final

import httpx
import structlog
from redis import asyncio as aioredis

from domain.errors import (
    UnknownApp,
    WeChatCodeInvalid,
    WeChatCodeUsed,
    WeChatPhoneCodeInvalid,
    WeChatUnavailable,
)
from domain.wechat.credentials import AppSecret, SessionKey
from domain.wechat.errcodes import TOKEN_REFUSED, Errcode
from domain.wechat.limits import WeChatLimits
from domain.wechat.shared_tokens import SharedTokens
from domain.wechat.stable_tokens import App, StableTokens
from domain.wechat.transport import WeChatAnswer, WeChatRequest, WeChatTransport
from domain.wechat.values import (
    MessageLanguage,
    OpenId,
    ProgramVersion,
    SubscribeOutcome,
    SubscribeResult,
    TextScene,
    TextSuggestion,
    TextVerdict,
    UnionId,
    WeChatPhone,
    WeChatSession,
)

_log = structlog.get_logger(__name__)

WECHAT_BASE_URL: Final = "https://api.weixin.qq.com"
TEXT_CHARACTERS_MAX: Final = 2500
SCENE_CHARACTERS_MAX: Final = 32
_SCENE_SIGNS: Final = frozenset("!#$&'()*+,/:;=?@-._~")
_CODE_CHARACTERS_MAX: Final = 512
_CODE_WIDTH_PX_MIN: Final = 280
_CODE_WIDTH_PX_MAX: Final = 1280

# The console calls the published version "release" in codes and "formal" in messages.
_MINIPROGRAM_STATE: Final[dict[ProgramVersion, str]] = {
    "release": "formal",
    "trial": "trial",
    "develop": "developer",
}
_SUBSCRIBE_OUTCOMES: Final[dict[int, SubscribeOutcome]] = {
    Errcode.OK: SubscribeOutcome.SENT,
    Errcode.CONSENT_MISSING: SubscribeOutcome.REFUSED,
    Errcode.TEMPLATE_UNKNOWN: SubscribeOutcome.TEMPLATE_UNKNOWN,
    Errcode.CONTENT_INVALID: SubscribeOutcome.CONTENT_INVALID,
    Errcode.OPENID_UNKNOWN: SubscribeOutcome.RECIPIENT_UNKNOWN,
}


class WeChatClient:
    """WeChat's server-side interface, for the mini-programs in `apps` (app id -> secret).

    `redis` shares access tokens between workers and may be down. Without `http` the client makes
    its own connection pool, which `aclose()` closes; a pool passed in stays the caller's. `waiting`
    makes a context that is entered around each call: whoever waits for WeChat does nothing else.
    `make_http` is the class of the pool that the client makes, for those who want to watch it.
    """

    def __init__(
        self,
        *,
        apps: Mapping[str, AppSecret],
        redis: aioredis.Redis,
        base_url: str = WECHAT_BASE_URL,
        http: httpx.AsyncClient | None = None,
        limits: WeChatLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        waiting: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        make_http: type[httpx.AsyncClient] = httpx.AsyncClient,
    ) -> None:
        self._waiting = waiting
        self._apps = {app_id: App(app_id=app_id, secret=secret) for app_id, secret in apps.items()}
        self._limits = limits or WeChatLimits()
        self._owns_http = http is None
        self._http = http or _http_for(base_url, make_http)
        self._transport = WeChatTransport(http=self._http, base_url=base_url, limits=self._limits)
        self._tokens = StableTokens(
            transport=self._transport,
            shared=SharedTokens(redis, limits=self._limits, monotonic=monotonic),
            monotonic=monotonic,
        )

    async def aclose(self) -> None:
        """Close the connection pool, if it is the client's own."""
        if self._owns_http:
            await self._http.aclose()

    async def code2session(self, app_id: str, code: str) -> WeChatSession:
        """Exchange the code of `wx.login` (single use, five minutes) for the user's identity.

        Raises `UnknownApp`, `WeChatCodeInvalid`, `WeChatCodeUsed`, `WeChatRateLimited`,
        `WeChatUserBlocked` or `WeChatUnavailable`. After the last one the code may or may not be
        used up: the client asks `wx.login` for a fresh one.
        """
        app = self._require_app(app_id)
        request = WeChatRequest(
            method="GET",
            path="/sns/jscode2session",
            repeatable=False,
            params={
                "appid": app_id,
                "secret": app.secret.reveal(),
                "js_code": _plausible(code),
                "grant_type": "authorization_code",
            },
        )
        async with self._deadline(request):
            answer = await self._transport.exchange(request)
        answer.require_ok()
        unionid = answer.fields.get("unionid")
        return WeChatSession(
            openid=OpenId(answer.text("openid")),
            unionid=UnionId(answer.text("unionid")) if unionid else None,
            session_key=SessionKey(answer.text("session_key")),
        )

    async def phone_number(self, app_id: str, code: str) -> WeChatPhone:
        """Exchange the code of `getPhoneNumber` (single use, five minutes) for the number.

        Raises as `code2session` does, but `WeChatPhoneCodeInvalid` for any code that is no good.
        The answer must carry the watermark of this app.
        """
        self._require_app(app_id)
        try:
            answer = await self._call(
                app_id,
                WeChatRequest(
                    method="POST",
                    path="/wxa/business/getuserphonenumber",
                    repeatable=False,
                    body={"code": _plausible(code)},
                ),
            )
            answer.require_ok()
        except (WeChatCodeInvalid, WeChatCodeUsed):
            # Another `wx.login` would not help whoever asks.
            raise WeChatPhoneCodeInvalid from None
        info = answer.fields.get("phone_info")
        if not isinstance(info, dict):
            raise answer.malformed("phone_info")
        watermark = info.get("watermark")
        if not isinstance(watermark, dict) or watermark.get("appid") != app_id:
            raise answer.malformed("phone_info.watermark")
        details = replace(answer, fields=info)
        return WeChatPhone(
            number=details.text("phoneNumber"),
            national_number=details.text("purePhoneNumber"),
            country_code=details.text("countryCode"),
        )

    async def check_session(self, app_id: str, *, openid: str, session_key: SessionKey) -> bool:
        """Whether the session key is still the one WeChat and the user's phone share."""
        # The signed text is empty, as documented; the key signs as text, not decoded.
        signature = hmac.new(session_key.reveal().encode(), b"", hashlib.sha256).hexdigest()
        answer = await self._call(
            app_id,
            WeChatRequest(
                method="GET",
                path="/wxa/checksession",
                repeatable=True,
                params={
                    "openid": openid,
                    "signature": signature,
                    "sig_method": "hmac_sha256",
                },
            ),
        )
        if answer.errcode == Errcode.SIGNATURE_INVALID:
            return False
        answer.require_ok()
        return True

    async def check_text(
        self, app_id: str, *, openid: str, scene: TextScene, content: str
    ) -> TextVerdict:
        """WeChat's opinion of a text of 1 to 2,500 characters, longer ones being a ValueError."""
        if not 1 <= len(content) <= TEXT_CHARACTERS_MAX:
            raise ValueError(f"content must have 1 to {TEXT_CHARACTERS_MAX} characters")
        answer = await self._call(
            app_id,
            WeChatRequest(
                method="POST",
                path="/wxa/msg_sec_check",
                repeatable=True,
                body={"version": 2, "openid": openid, "scene": int(scene), "content": content},
            ),
        )
        if answer.errcode == Errcode.USER_INACTIVE:
            return TextVerdict(suggestion=TextSuggestion.UNCHECKED, label=None, trace_id=None)
        answer.require_ok()
        return _verdict(answer)

    async def send_subscribe_message(
        self,
        app_id: str,
        *,
        openid: str,
        template_id: str,
        values: Mapping[str, str],
        page: str | None = None,
        version: ProgramVersion = "release",
        language: MessageLanguage = "zh_CN",
    ) -> SubscribeResult:
        """Send one subscribe message, which uses up one consent of the user.

        `values` holds the text of each keyword of the template (`thing1`, `time2`, …). Not repeated
        after a failure that may have sent it: `WeChatUnavailable` says if it was.
        """
        body: dict[str, Any] = {
            "touser": openid,
            "template_id": template_id,
            "data": {keyword: {"value": text} for keyword, text in values.items()},
            "miniprogram_state": _MINIPROGRAM_STATE[version],
            "lang": language,
        }
        if page is not None:
            body["page"] = page
        answer = await self._call(
            app_id,
            WeChatRequest(
                method="POST",
                path="/cgi-bin/message/subscribe/send",
                repeatable=False,
                body=body,
            ),
        )
        if answer.errcode not in _SUBSCRIBE_OUTCOMES:
            answer.require_ok()
        return SubscribeResult(outcome=_SUBSCRIBE_OUTCOMES[answer.errcode], detail=answer.errmsg)

    async def mini_program_code(
        self,
        app_id: str,
        *,
        scene: str,
        page: str | None = None,
        version: ProgramVersion = "release",
        width_px: int = 430,
    ) -> bytes:
        """The image (PNG or JPEG) of an unlimited mini-program code that opens `page` with `scene`.

        `scene` is 1 to 32 of the letters, digits and signs WeChat allows, `page` a published page
        without leading slash (None: the home page), `width_px` 280 to 1,280; else a ValueError.
        """
        body = _code_body(scene=scene, page=page, version=version, width_px=width_px)
        answer = await self._call(
            app_id,
            WeChatRequest(method="POST", path="/wxa/getwxacodeunlimit", repeatable=True, body=body),
        )
        answer.require_ok()
        if answer.image is None:
            raise answer.malformed("image")
        return answer.image

    def _require_app(self, app_id: str) -> App:
        app = self._apps.get(app_id)
        if app is None:
            raise UnknownApp
        return app

    async def _call(self, app_id: str, request: WeChatRequest) -> WeChatAnswer:
        """Send with the app's access token; once more with another one if it was refused."""
        app = self._require_app(app_id)
        async with self._deadline(request):
            try:
                token = await self._tokens.current(app)
            except WeChatUnavailable:
                # The call itself was never made.
                raise WeChatUnavailable(perhaps_sent=False) from None
            answer = await self._transport.exchange(_with_token(request, token.reveal()))
            if answer.errcode in TOKEN_REFUSED:
                token = await self._tokens.replace(app, refused=token)
                answer = await self._transport.exchange(_with_token(request, token.reveal()))
        return answer

    @asynccontextmanager
    async def _deadline(self, request: WeChatRequest) -> AsyncIterator[None]:
        try:
            async with self._waiting(), asyncio.timeout(self._limits.deadline_seconds):
                yield
        except TimeoutError:
            _log.warning("wechat_no_answer", endpoint=request.endpoint, reason="deadline")
            raise WeChatUnavailable from None


def _http_for(base_url: str, make_http: type[httpx.AsyncClient]) -> httpx.AsyncClient:
    # Proxies of the environment serve for the real WeChat; for a fake on this machine they would
    # only be in the way, and httpx does not except loopback addresses by itself.
    trust_env = not _is_loopback(httpx.URL(base_url).host)
    return make_http(trust_env=trust_env, verify=_certificates(trust_env=trust_env))


@cache
def _certificates(*, trust_env: bool) -> ssl.SSLContext:
    """What httpx trusts, read once in a process: it takes 30 ms."""
    return httpx.create_ssl_context(trust_env=trust_env)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _plausible(code: str) -> str:
    # What cannot be a code costs no call, and control characters never reach WeChat.
    if not (0 < len(code) <= _CODE_CHARACTERS_MAX and code.isascii() and code.isprintable()):
        raise WeChatCodeInvalid
    return code


def _with_token(request: WeChatRequest, token: str) -> WeChatRequest:
    return replace(request, params=request.params | {"access_token": token})


def _verdict(answer: WeChatAnswer) -> TextVerdict:
    result = answer.fields.get("result")
    if not isinstance(result, dict):
        raise answer.malformed("result")
    label, trace_id = result.get("label"), answer.fields.get("trace_id")
    try:
        suggestion = TextSuggestion(str(result.get("suggest")))
    except ValueError:
        suggestion = TextSuggestion.REVIEW
    return TextVerdict(
        suggestion=suggestion,
        label=label if isinstance(label, int) else None,
        trace_id=trace_id if isinstance(trace_id, str) else None,
    )


def _code_body(
    *, scene: str, page: str | None, version: ProgramVersion, width_px: int
) -> dict[str, Any]:
    allowed = all((sign.isascii() and sign.isalnum()) or sign in _SCENE_SIGNS for sign in scene)
    if not allowed or not 1 <= len(scene) <= SCENE_CHARACTERS_MAX:
        raise ValueError("scene must be 1 to 32 letters, digits or allowed signs")
    if page is not None and page.startswith("/"):
        raise ValueError("page must not start with a slash")
    if not _CODE_WIDTH_PX_MIN <= width_px <= _CODE_WIDTH_PX_MAX:
        raise ValueError("width_px must be 280 to 1280")
    body: dict[str, Any] = {"scene": scene, "env_version": version, "width": width_px}
    return body if page is None else body | {"page": page}
