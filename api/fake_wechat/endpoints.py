"""WeChat's own endpoints, as far as Jifen calls them, with WeChat's checks in WeChat's order.

Source: https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.fake_wechat.picture import code_picture
from api.fake_wechat.state import FakeWeChat
from api.fake_wechat.wire import WeChatError, json_object, read_body

RISKY_MARKERS: Final = ("[risky]", "违规")
REVIEW_MARKERS: Final = ("[review]", "疑似")
_LABEL_NORMAL: Final = 100
_LABEL_ADVERTISEMENT: Final = 10001
_LABEL_ABUSE: Final = 20003
_CONTENT_CHARACTERS_MAX: Final = 2500
_SCENE_CHARACTERS_MAX: Final = 32
_OK: Final = {"errcode": 0, "errmsg": "ok"}


async def jscode2session(request: Request) -> Response:
    """A login code for the user's identity."""
    _require_method(request, "GET")
    fake, query = _fake(request), request.query_params
    app_id = query.get("appid", "")
    fake.authenticate(app_id=app_id, secret=query.get("secret", ""))
    if query.get("grant_type") != "authorization_code":
        raise WeChatError(40002, "invalid grant_type")
    if not query.get("js_code"):
        raise WeChatError(41008, "missing code")
    session = fake.people.exchange_login_code(app_id=app_id, code=query["js_code"])
    answer = {"session_key": session.session_key, "openid": session.openid}
    return JSONResponse(answer | ({"unionid": session.unionid} if session.unionid else {}))


async def stable_token(request: Request) -> Response:
    """The access token of an app."""
    _require_method(request, "POST")
    fake, body = _fake(request), await _json(request)
    if body.get("grant_type") != "client_credential":
        raise WeChatError(40002, "invalid grant_type")
    app_id = _text(body, "appid")
    fake.authenticate(app_id=app_id, secret=_text(body, "secret"))
    token, expires_in = fake.tokens.issue(
        app_id, force_refresh=body.get("force_refresh", False) is True
    )
    return JSONResponse({"access_token": token, "expires_in": expires_in})


async def getuserphonenumber(request: Request) -> Response:
    """A phone code for the phone number."""
    fake, app_id, body = await _authorized(request)
    info = fake.people.exchange_phone_code(app_id=app_id, code=_text(body, "code"))
    return JSONResponse(_OK | {"phone_info": info})


async def checksession(request: Request) -> Response:
    """Whether a session key is still good."""
    _require_method(request, "GET")
    fake, query = _fake(request), request.query_params
    app_id = fake.tokens.app_of(query.get("access_token", ""))
    session = fake.people.session(app_id=app_id, openid=query.get("openid", ""))
    if session is None:
        raise WeChatError(40003, "invalid openid")
    if query.get("sig_method") != "hmac_sha256":
        raise WeChatError(87008, "invalid sig_method")
    expected = hmac.new(session.session_key.encode(), b"", hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), query.get("signature", "").encode()):
        raise WeChatError(87009, "invalid signature")
    return JSONResponse(_OK)


async def subscribe_send(request: Request) -> Response:
    """One subscribe message for one consent."""
    fake, app_id, body = await _authorized(request)
    fake.messages.send(app_id=app_id, message=body)
    return JSONResponse(_OK)


async def msg_sec_check(request: Request) -> Response:
    """An opinion of a text; `[risky]` and `[review]` in the text ask for one."""
    fake, app_id, body = await _authorized(request)
    if body.get("version") != 2 or body.get("scene") not in {1, 2, 3, 4}:
        raise WeChatError(40097, "invalid args")
    content = _text(body, "content")
    if not content:
        raise WeChatError(44004, "empty content")
    if len(content) > _CONTENT_CHARACTERS_MAX:
        raise WeChatError(45002, "content size out of limit")
    session = fake.people.session(app_id=app_id, openid=_text(body, "openid"))
    if session is None:
        raise WeChatError(40003, "invalid openid")
    if not fake.people.is_active(session):
        raise WeChatError(61010, "code is expired")
    suggest, label = _opinion(content)
    fake.checked[content] += 1
    result = {"suggest": suggest, "label": label}
    trace_id = f"{secrets.token_hex(4)}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
    detail = [{"strategy": "content_model", "errcode": 0, "prob": 90, **result}]
    return JSONResponse(_OK | {"result": result, "detail": detail, "trace_id": trace_id})


async def getwxacodeunlimit(request: Request) -> Response:
    """A picture for a scene."""
    _fake_state, _app_id, body = await _authorized(request)
    scene, page = _text(body, "scene"), _text(body, "page")
    if not 1 <= len(scene) <= _SCENE_CHARACTERS_MAX:
        raise WeChatError(40169, "invalid length for scene, or the data is not json string")
    if page.startswith("/"):
        raise WeChatError(41030, "invalid page")
    width_px = body.get("width", 430)
    if type(width_px) is not int or not 280 <= width_px <= 1280:
        raise WeChatError(40097, "invalid args")
    picture = code_picture(scene, page=page, width_px=width_px)
    return Response(picture, media_type="image/png")


def wechat_routes() -> list[Route]:
    """The routes under WeChat's paths. Wrong methods are answered in WeChat's manner."""
    both = ["GET", "POST"]
    return [
        Route("/sns/jscode2session", jscode2session, methods=both),
        Route("/cgi-bin/stable_token", stable_token, methods=both),
        Route("/wxa/business/getuserphonenumber", getuserphonenumber, methods=both),
        Route("/wxa/checksession", checksession, methods=both),
        Route("/cgi-bin/message/subscribe/send", subscribe_send, methods=both),
        Route("/wxa/msg_sec_check", msg_sec_check, methods=both),
        Route("/wxa/getwxacodeunlimit", getwxacodeunlimit, methods=both),
    ]


def _opinion(content: str) -> tuple[str, int]:
    if any(marker in content for marker in RISKY_MARKERS):
        return "risky", _LABEL_ABUSE
    if any(marker in content for marker in REVIEW_MARKERS):
        return "review", _LABEL_ADVERTISEMENT
    return "pass", _LABEL_NORMAL


def _fake(request: Request) -> FakeWeChat:
    fake = request.app.state.fake
    assert isinstance(fake, FakeWeChat)
    return fake


def _require_method(request: Request, method: str) -> None:
    if request.method != method:
        errcode = 43001 if method == "GET" else 43002
        raise WeChatError(errcode, f"require {method} method")


async def _authorized(request: Request) -> tuple[FakeWeChat, str, dict[str, Any]]:
    """The fake, the app whose token was presented, and the body of a POST."""
    _require_method(request, "POST")
    fake = _fake(request)
    app_id = fake.tokens.app_of(request.query_params.get("access_token", ""))
    return fake, app_id, await _json(request)


async def _json(request: Request) -> dict[str, Any]:
    body = json_object(await read_body(request))
    if body is None:
        raise WeChatError(47001, "data format error")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise WeChatError(47001, f"data format error: {name}")
    return value
