"""Answers WeChat has never given: whatever comes, a documented refusal or a verdict comes of it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.fake_wechat import DEMO_APP_ID
from api.fake_wechat.server import serving_in_thread
from domain.errors import WeChatUnavailable
from domain.wechat import TextScene, TextSuggestion, TextVerdict, WeChatClient
from tests.domain.wechat.conftest import Worker

GOOD_TOKEN = {"access_token": "x" * 512, "expires_in": 7200}


@dataclass
class StrangeServer:
    """Answers each path with the bytes it was given."""

    answers: dict[str, bytes] = field(default_factory=dict)
    base_url: str = ""

    async def answer(self, request: Request) -> Response:
        body = self.answers[request.url.path]
        coded = {"content-encoding": "gzip"} if body.startswith(b"\x1f\x8b") else {}
        return Response(body, headers=coded)

    def say(self, path: str, answer: object) -> None:
        self.answers[path] = orjson.dumps(answer)


@pytest.fixture(scope="module")
def _serving() -> Iterator[StrangeServer]:
    strange = StrangeServer()
    routes = [Route("/{path:path}", strange.answer, methods=["GET", "POST"])]
    with serving_in_thread(Starlette(routes=routes)) as base_url:
        strange.base_url = base_url
        yield strange


@pytest.fixture
def strange(_serving: StrangeServer) -> StrangeServer:
    """The server, with nothing strange but the token, which is good."""
    _serving.answers.clear()
    _serving.say("/cgi-bin/stable_token", GOOD_TOKEN)
    return _serving


@pytest.fixture
def client(strange: StrangeServer, worker: Worker) -> WeChatClient:
    return worker(base_url=strange.base_url)


@pytest.mark.parametrize("unionid", ["", None])
async def test_empty_unionid_is_none(
    client: WeChatClient, strange: StrangeServer, unionid: str | None
) -> None:
    answer = {"errcode": 0, "openid": "o", "session_key": "k", "unionid": unionid}
    strange.say("/sns/jscode2session", answer)

    session = await client.code2session(DEMO_APP_ID, "code")

    assert (session.openid, session.unionid) == ("o", None)


SESSIONS = {
    "list": b"[]",
    "number": b"5",
    "empty": b"",
    "errcode is a text": b'{"errcode": "0", "openid": "o", "session_key": "k"}',
    "errcode is a truth": b'{"errcode": true, "openid": "o", "session_key": "k"}',
    "errcode is null": b'{"errcode": null, "openid": "o", "session_key": "k"}',
    "no openid": b'{"session_key": "k"}',
    "openid is a number": b'{"openid": 5, "session_key": "k"}',
    "openid is empty": b'{"openid": "", "session_key": "k"}',
    "no session key": b'{"openid": "o"}',
    "unionid is a number": b'{"openid": "o", "session_key": "k", "unionid": 5}',
    "deeply nested": b"[" * 200_000,
    "not UTF-8": b'{"openid": "\xff", "session_key": "k"}',
    "compressed though not asked": gzip.compress(b'{"openid": "o", "session_key": "k"}'),
    "an image": b"\x89PNG\r\n\x1a\n and more",
}


@pytest.mark.parametrize("body", SESSIONS.values(), ids=SESSIONS)
async def test_session_of_another_form_is_no_answer(
    client: WeChatClient, strange: StrangeServer, body: bytes
) -> None:
    strange.answers["/sns/jscode2session"] = body

    with pytest.raises(WeChatUnavailable):
        await client.code2session(DEMO_APP_ID, "code")


@pytest.mark.parametrize(
    "token",
    [
        b"{}",
        b'{"access_token": "", "expires_in": 7200}',
        b'{"access_token": 5, "expires_in": 7200}',
        b'{"access_token": "x"}',
        b'{"access_token": "x", "expires_in": 0}',
        b'{"access_token": "x", "expires_in": -1}',
        b'{"access_token": "x", "expires_in": 7201}',
        b'{"access_token": "x", "expires_in": 7200.0}',
        b'{"access_token": "x", "expires_in": 1e400}',
        b'{"access_token": "x", "expires_in": true}',
        b'{"access_token": "x", "expires_in": "7200"}',
    ],
)
async def test_token_without_text_or_sane_life_is_no_token(
    client: WeChatClient, strange: StrangeServer, token: bytes
) -> None:
    strange.answers["/cgi-bin/stable_token"] = token

    with pytest.raises(WeChatUnavailable):
        await client.mini_program_code(DEMO_APP_ID, scene="x")


PHONE = {
    "phoneNumber": "13800138000",
    "purePhoneNumber": "13800138000",
    "countryCode": "86",
    "watermark": {"timestamp": 1772366400, "appid": DEMO_APP_ID},
}


@pytest.mark.parametrize(
    "info",
    [
        None,
        [],
        PHONE | {"watermark": None},
        PHONE | {"watermark": {"timestamp": 1772366400, "appid": "wx1111111111111111"}},
        PHONE | {"phoneNumber": 13800138000},
        PHONE | {"purePhoneNumber": ""},
        PHONE | {"countryCode": None},
    ],
)
async def test_phone_number_of_another_form_or_app_is_no_answer(
    client: WeChatClient, strange: StrangeServer, info: object
) -> None:
    path = "/wxa/business/getuserphonenumber"
    strange.say(path, {"errcode": 0, "phone_info": PHONE})
    assert (await client.phone_number(DEMO_APP_ID, "code")).number == "13800138000"
    strange.say(path, {"errcode": 0, "phone_info": info})

    with pytest.raises(WeChatUnavailable):
        await client.phone_number(DEMO_APP_ID, "code")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (
            {"result": {"suggest": "block", "label": 20002}, "trace_id": "t"},
            TextVerdict(suggestion=TextSuggestion.REVIEW, label=20002, trace_id="t"),
        ),
        (
            {"result": {}},
            TextVerdict(suggestion=TextSuggestion.REVIEW, label=None, trace_id=None),
        ),
        (
            {"result": {"suggest": ["pass"], "label": "100"}, "trace_id": 5},
            TextVerdict(suggestion=TextSuggestion.REVIEW, label=None, trace_id=None),
        ),
    ],
)
async def test_unknown_opinion_of_a_text_is_for_a_person(
    client: WeChatClient, strange: StrangeServer, answer: dict[str, object], verdict: TextVerdict
) -> None:
    strange.say("/wxa/msg_sec_check", answer)

    assert verdict == await client.check_text(
        DEMO_APP_ID, openid="o", scene=TextScene.FORUM, content="x"
    )


@pytest.mark.parametrize("result", [None, "pass", []])
async def test_opinion_without_a_result_is_no_answer(
    client: WeChatClient, strange: StrangeServer, result: object
) -> None:
    strange.say("/wxa/msg_sec_check", {"errcode": 0, "result": result})

    with pytest.raises(WeChatUnavailable):
        await client.check_text(DEMO_APP_ID, openid="o", scene=TextScene.FORUM, content="x")


async def test_json_instead_of_an_image_is_no_answer(
    client: WeChatClient, strange: StrangeServer
) -> None:
    strange.say("/wxa/getwxacodeunlimit", {"errcode": 0, "errmsg": "ok"})

    with pytest.raises(WeChatUnavailable):
        await client.mini_program_code(DEMO_APP_ID, scene="x")
