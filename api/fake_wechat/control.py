"""The control endpoints of the fake: play the user, break things, look at what was sent."""

from __future__ import annotations

import re
import secrets
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.fake_wechat.faults import ENDPOINTS, EVERY_ENDPOINT, Fault, FaultKind
from api.fake_wechat.messages import TEMPLATE_ID
from api.fake_wechat.state import APP_ID, FakeWeChat
from api.fake_wechat.wire import ControlError, ControlFields
from domain.wechat import PushCipher, push_signature

_USER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SECRET: Final = re.compile(r"[\x21-\x7e]{1,128}")
_PHONE: Final = re.compile(r"[0-9]{5,15}")
_COUNTRY: Final = re.compile(r"[1-9][0-9]{0,2}")
_ERRMSG: Final = re.compile(r".{0,200}")
_LOOPBACK_URL: Final = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?/.{0,500}")
_ENDPOINT_NAMES: Final = (EVERY_ENDPOINT, *ENDPOINTS.values())
_EXPIRABLE: Final = ("all", "codes", "tokens", "activity")
_SLOW_SECONDS_MAX: Final = 600
_PUSH_TIMEOUT_SECONDS: Final = 10.0


async def login(request: Request) -> Response:
    """`wx.login` of a user: answers `{code}`."""
    fake, fields = _fake(request), await ControlFields.of(request)
    app_id = _app_id(fake, fields)
    openid, unionid = fields.text("openid", _USER_ID), fields.text_or_none("unionid", _USER_ID)
    fields.finish()
    code = fake.people.issue_login_code(app_id=app_id, openid=openid, unionid=unionid)
    return JSONResponse({"code": code})


async def phone(request: Request) -> Response:
    """`getPhoneNumber` of a user: answers `{code}`."""
    fake, fields = _fake(request), await ControlFields.of(request)
    app_id = _app_id(fake, fields)
    number = fields.text("phone", _PHONE)
    country_code = fields.text("countryCode", _COUNTRY, "86")
    fields.finish()
    code = fake.people.issue_phone_code(app_id=app_id, number=number, country_code=country_code)
    return JSONResponse({"code": code})


async def open_data(request: Request) -> Response:
    """The encrypted and signed profile of a user who has signed in."""
    fake, fields = _fake(request), await ControlFields.of(request)
    app_id = _app_id(fake, fields)
    openid, profile = fields.text("openid", _USER_ID), fields.mapping("fields")
    fields.finish()
    session = fake.people.session(app_id=app_id, openid=openid)
    if session is None:
        raise ControlError("this openid has not signed in: exchange a login code first")
    return JSONResponse(fake.people.open_data(session, app_id=app_id, fields=profile))


async def consent(request: Request) -> Response:
    """`wx.requestSubscribeMessage` accepted: answers how many consents there are."""
    fake, fields = _fake(request), await ControlFields.of(request)
    app_id = _app_id(fake, fields)
    openid, template_id = fields.text("openid", _USER_ID), fields.text("templateId", TEMPLATE_ID)
    count = fields.integer("count", low=1, high=1000, default=1)
    fields.finish()
    held = fake.messages.consent(app_id=app_id, openid=openid, template_id=template_id, count=count)
    return JSONResponse({"consents": held})


async def outbox(request: Request) -> Response:
    """The subscribe messages that were sent, oldest first."""
    return JSONResponse({"messages": _fake(request).messages.outbox})


async def calls(request: Request) -> Response:
    """How often each endpoint was called since the last reset."""
    return JSONResponse(dict(_fake(request).faults.calls))


async def faults(request: Request) -> Response:
    """GET lists the faults to come, POST adds one, DELETE clears all."""
    book = _fake(request).faults
    if request.method == "POST":
        book.faults.append(_fault(await ControlFields.of(request)))
    elif request.method == "DELETE":
        book.faults.clear()
    return JSONResponse({"faults": [fault.as_json() for fault in book.faults]})


async def expire(request: Request) -> Response:
    """Age codes, tokens or the users' activity, as if their time had passed."""
    fake, fields = _fake(request), await ControlFields.of(request)
    what = fields.choice("what", _EXPIRABLE, "all")
    fields.finish()
    if what in {"all", "codes"}:
        fake.people.expire_codes()
    if what in {"all", "tokens"}:
        fake.tokens.expire_all()
    if what in {"all", "activity"}:
        fake.people.expire_activity()
    return JSONResponse({"expired": what})


async def apps(request: Request) -> Response:
    """Add a mini-program, or change the secret of one."""
    fake, fields = _fake(request), await ControlFields.of(request)
    app_id, secret = fields.text("appId", APP_ID), fields.text("secret", _SECRET)
    fields.finish()
    fake.apps[app_id] = secret
    return JSONResponse({"apps": sorted(fake.apps)})


async def push(request: Request) -> Response:
    """Send a signed message push to a URL on this machine; answers what came back.

    Without `event` the URL verification is sent (GET with `echostr`). With `encodingAesKey` the
    secure mode is used. An event without `CreateTime` is of now.
    """
    fake, fields = _fake(request), await ControlFields.of(request)
    app_id = _app_id(fake, fields)
    url, token = _push_url(fields), fields.text("token", _SECRET)
    is_verification = not fields.has("event")
    event, key = fields.mapping("event"), fields.text_or_none("encodingAesKey", _SECRET)
    fields.finish()
    timestamp, nonce = str(int(fake.clock().timestamp())), str(secrets.randbelow(10**9))
    query = {
        "signature": push_signature(token=token, timestamp=timestamp, nonce=nonce),
        "timestamp": timestamp,
        "nonce": nonce,
    }
    echo, dated = str(secrets.randbelow(10**18)), {"CreateTime": int(timestamp)} | event
    content: bytes | None = None
    if is_verification:
        query["echostr"] = echo
    elif key is None:
        content = orjson.dumps(dated)
    else:
        encrypted = _encrypted(dated, app_id=app_id, key=key)
        query |= {
            "encrypt_type": "aes",
            "msg_signature": push_signature(
                token=token, timestamp=timestamp, nonce=nonce, encrypted=encrypted
            ),
        }
        content = orjson.dumps({"ToUserName": event.get("ToUserName"), "Encrypt": encrypted})
    status, text = await _deliver(url, query=query, content=content)
    verified = {"verified": status == 200 and text == echo} if is_verification else {}
    return JSONResponse({"status": status, "body": text} | verified)


async def reset(request: Request) -> Response:
    """Forget everything but the apps the fake was started with."""
    fields = await ControlFields.of(request)
    fields.finish()
    _fake(request).reset()
    return JSONResponse({"reset": True})


def control_routes() -> list[Route]:
    """The routes under `/_fake/`."""
    return [
        Route("/_fake/login", login, methods=["POST"]),
        Route("/_fake/phone", phone, methods=["POST"]),
        Route("/_fake/open-data", open_data, methods=["POST"]),
        Route("/_fake/consent", consent, methods=["POST"]),
        Route("/_fake/outbox", outbox, methods=["GET"]),
        Route("/_fake/calls", calls, methods=["GET"]),
        Route("/_fake/faults", faults, methods=["GET", "POST", "DELETE"]),
        Route("/_fake/expire", expire, methods=["POST"]),
        Route("/_fake/apps", apps, methods=["POST"]),
        Route("/_fake/push", push, methods=["POST"]),
        Route("/_fake/reset", reset, methods=["POST"]),
    ]


def _fake(request: Request) -> FakeWeChat:
    fake = request.app.state.fake
    assert isinstance(fake, FakeWeChat)
    return fake


def _app_id(fake: FakeWeChat, fields: ControlFields) -> str:
    """The app named, or the first one configured."""
    app_id = fields.text("appId", APP_ID, next(iter(fake.apps)))
    if app_id not in fake.apps:
        raise ControlError(f"appId is none of: {', '.join(fake.apps)}")
    return app_id


def _fault(fields: ControlFields) -> Fault:
    kinds = [kind for kind in FaultKind if fields.has(kind)]
    if len(kinds) != 1:
        raise ControlError(f"name exactly one of: {', '.join(FaultKind)}")
    kind = kinds[0]
    fault = Fault(
        endpoint=fields.choice("endpoint", _ENDPOINT_NAMES),
        kind=kind,
        amount=_amount(kind, fields),
        errmsg=fields.text("errmsg", _ERRMSG, "injected by the fake"),
        after=fields.flag("after"),
        times=fields.integer("times", low=1, high=1_000_000) if fields.has("times") else None,
    )
    fields.finish()
    return fault


def _amount(kind: FaultKind, fields: ControlFields) -> float:
    if kind is FaultKind.ERRCODE:
        return fields.integer(kind, low=-1, high=9_999_999)
    if kind is FaultKind.STATUS:
        return fields.integer(kind, low=400, high=599)
    if kind is FaultKind.SLOW:
        return fields.number(kind, low=0, high=_SLOW_SECONDS_MAX)
    if not fields.flag(kind):
        raise ControlError(f"{kind} must be true")
    return 0


def _push_url(fields: ControlFields) -> str:
    url = fields.text("url", _LOOPBACK_URL)
    try:
        urlsplit(url).port  # noqa: B018 - reading it is what checks it
    except ValueError as error:
        raise ControlError(f"url: {error}") from error
    return url


def _encrypted(event: dict[str, Any], *, app_id: str, key: str) -> str:
    try:
        return PushCipher(app_id=app_id, encoding_aes_key=key).encrypt(orjson.dumps(event))
    except ValueError as error:
        raise ControlError(f"encodingAesKey: {error}") from error


async def _deliver(url: str, *, query: dict[str, str], content: bytes | None) -> tuple[int, str]:
    method = "GET" if content is None else "POST"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_PUSH_TIMEOUT_SECONDS) as http:
            answer = await http.request(method, url, params=query, content=content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ControlError(f"the push was not delivered: {type(error).__name__}") from error
    return answer.status_code, answer.text
