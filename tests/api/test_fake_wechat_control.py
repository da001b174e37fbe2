"""The control endpoints of the fake: the user's side, faults, pushes; and what they refuse."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.fake_wechat import DEMO_APP_ID, DEMO_APP_SECRET, RunningFake, create_fake_wechat
from api.fake_wechat.server import serving_in_thread
from domain.wechat import PushCipher, is_push_signed
from tests.domain.wechat import fixtures
from tests.domain.wechat.mini_program import OTHER_APP_ID, TEMPLATE_ID, MiniProgram

_serving_fake = fixtures._serving_fake
clock = fixtures.clock
fake = fixtures.fake
phone = fixtures.phone

POSTS = ["login", "phone", "open-data", "consent", "faults", "expire", "apps", "push", "reset"]
BAD_BODIES = {
    "half": b"{",
    "list": b"[]",
    "number": b"5",
    "null": b"null",
    "deep": b"[" * 100_000,
    "not UTF-8": b'{"openid": "\xff"}',
    "large": b'{"openid": "' + b"o" * 300_000 + b'"}',
    "unknown field": b'{"opneid": "o", "openid": "o", "phone": "13800138000"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
@pytest.mark.parametrize("path", POSTS)
async def test_bad_body_is_answered_400_with_a_reason(
    phone: MiniProgram, path: str, body: bytes
) -> None:
    answer = await phone.http.post(f"/_fake/{path}", content=body)

    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("login", {}),
        ("login", {"openid": ""}),
        ("login", {"openid": "o" * 65}),
        ("login", {"openid": "o\x00"}),
        ("login", {"openid": "用户"}),
        ("login", {"openid": "o\n"}),
        ("login", {"openid": 5}),
        ("login", {"openid": "o", "unionid": ""}),
        ("login", {"openid": "o", "appId": "wx9999999999999999"}),
        ("login", {"openid": "o", "appId": "nonsense"}),
        ("phone", {"phone": "call me"}),
        ("phone", {"phone": "13800138000", "countryCode": "+86"}),
        ("open-data", {"openid": "o-nobody"}),
        ("open-data", {"openid": "o", "fields": []}),
        ("consent", {"openid": "o", "templateId": "short"}),
        ("consent", {"openid": "o", "templateId": TEMPLATE_ID, "count": 0}),
        ("consent", {"openid": "o", "templateId": TEMPLATE_ID, "count": True}),
        ("faults", {"endpoint": "jscode2session"}),
        ("faults", {"endpoint": "nonsense", "drop": True}),
        ("faults", {"endpoint": "*", "drop": False}),
        ("faults", {"endpoint": "*", "drop": True, "slow": 1}),
        ("faults", {"endpoint": "*", "errcode": "-1"}),
        ("faults", {"endpoint": "*", "status": 200}),
        ("faults", {"endpoint": "*", "slow": -1}),
        ("faults", {"endpoint": "*", "slow": True}),
        ("faults", {"endpoint": "*", "drop": True, "times": 0}),
        ("faults", {"endpoint": "*", "drop": True, "after": 1}),
        ("expire", {"what": "everything"}),
        ("expire", {"what": ["codes"]}),
        ("apps", {"appId": "short", "secret": "s"}),
        ("apps", {"appId": OTHER_APP_ID, "secret": ""}),
        ("push", {"url": "http://example.com/", "token": "t"}),
        ("push", {"url": "http://127.0.0.1.example.com/", "token": "t"}),
        ("push", {"url": "http://127.0.0.1:99999/", "token": "t"}),
        ("push", {"url": "http://127.0.0.1:1/", "token": "t"}),
        ("push", {"url": "http://127.0.0.1/", "token": "t", "event": {}, "encodingAesKey": "x"}),
    ],
)
async def test_nonsense_is_answered_400_with_a_reason(
    phone: MiniProgram, path: str, body: dict[str, Any]
) -> None:
    answer = await phone.http.post(f"/_fake/{path}", json=body)

    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/_fake/login", 405), ("GET", "/nowhere", 404), ("POST", "/", 405)],
)
async def test_wrong_turns_are_answered_in_json(
    phone: MiniProgram, method: str, path: str, status: int
) -> None:
    answer = await phone.http.request(method, path)

    assert answer.status_code == status
    assert set(answer.json()) == {"error"}


async def test_app_can_be_added_until_the_reset(phone: MiniProgram) -> None:
    app_id = "wx2222222222222222"
    await phone.control("apps", {"appId": app_id, "secret": "s2"})

    assert len((await phone.ask_token(appid=app_id, secret="s2"))["access_token"]) >= 512
    await phone.control("reset", {})
    assert (await phone.ask_token(appid=app_id, secret="s2"))["errcode"] == 40013


async def test_reset_forgets_everything(phone: MiniProgram, fake: RunningFake) -> None:
    token = (await phone.ask_token())["access_token"]
    code = await phone.login()
    await phone.break_endpoint("*", drop=True)

    await phone.control("reset", {})

    assert (await phone.http.get("/_fake/faults")).json() == {"faults": []}
    assert await phone.calls() == {}
    answer = await phone.http.post("/wxa/msg_sec_check", params={"access_token": token}, json={})
    assert answer.json()["errcode"] == 40001
    assert fake.state.people._login_codes == {}
    assert len(code) == 32


async def test_faults_are_listed_used_up_and_cleared(phone: MiniProgram) -> None:
    await phone.break_endpoint("stable_token", errcode=-1, times=2)
    await phone.break_endpoint("*", status=503, after=True)

    assert (await phone.http.get("/_fake/faults")).json() == {
        "faults": [
            {"endpoint": "stable_token", "errcode": -1, "after": False, "times": 2},
            {"endpoint": "*", "status": 503, "after": True, "times": None},
        ]
    }
    answers = [await phone.http.post("/cgi-bin/stable_token", json={}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 503, 503]
    assert answers[0].json() == {"errcode": -1, "errmsg": "injected by the fake"}
    assert (await phone.http.delete("/_fake/faults")).json() == {"faults": []}
    assert "access_token" in await phone.ask_token()
    assert await phone.calls() == {"stable_token": 5}


async def test_garbage_is_no_json(phone: MiniProgram) -> None:
    await phone.break_endpoint("stable_token", garbage=True)

    answer = await phone.http.post("/cgi-bin/stable_token", json={})

    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


@pytest.mark.parametrize("after", [False, True])
async def test_dropped_connection_has_no_answer(phone: MiniProgram, after: bool) -> None:
    await phone.break_endpoint("stable_token", drop=True, after=after, times=1)

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await phone.ask_token()
    assert "access_token" in await phone.ask_token()


@pytest.mark.parametrize("after", [False, True])
async def test_slow_answer_is_the_right_one_in_the_end(phone: MiniProgram, after: bool) -> None:
    await phone.break_endpoint("jscode2session", slow=0.1, after=after, times=1)
    query = {
        "appid": DEMO_APP_ID,
        "secret": DEMO_APP_SECRET,
        "js_code": await phone.login(),
        "grant_type": "authorization_code",
    }
    began = time.monotonic()

    answer = await phone.http.get("/sns/jscode2session", params=query)

    assert time.monotonic() - began >= 0.1
    assert answer.json()["openid"] == "o-alice"


async def test_body_survives_a_slow_fault(phone: MiniProgram) -> None:
    await phone.break_endpoint("stable_token", slow=0.01, times=1)

    assert (await phone.ask_token())["expires_in"] == 7200


async def test_server_that_cannot_drop_says_so() -> None:
    transport = httpx.ASGITransport(create_fake_wechat(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://fake") as http:
        body = {"endpoint": "stable_token", "drop": True}
        assert (await http.post("/_fake/faults", json=body)).status_code == 200
        assert (await http.post("/cgi-bin/stable_token", json={})).status_code == 500


class Receiver:
    """A server that takes pushes."""

    def __init__(self) -> None:
        self.queries: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.echoes = True
        self.app = Starlette(routes=[Route("/push", self.take, methods=["GET", "POST"])])
        self.base_url = ""

    async def take(self, request: Request) -> Response:
        self.queries.append(dict(request.query_params))
        self.bodies.append(await request.body())
        echo = request.query_params.get("echostr", "success")
        return PlainTextResponse(echo if self.echoes else "no")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with serving_in_thread(receiver.app) as base_url:
        receiver.base_url = base_url
        yield receiver


@pytest.mark.parametrize("echoes", [True, False])
async def test_url_is_verified_by_its_echo(
    phone: MiniProgram, receiver: Receiver, echoes: bool
) -> None:
    receiver.echoes = echoes

    answer = await phone.control("push", {"url": f"{receiver.base_url}/push", "token": "AAAAA"})

    assert (answer["status"], answer["verified"]) == (200, echoes)
    query = receiver.queries[0]
    del query["echostr"]
    assert is_push_signed(token="AAAAA", **query)


async def test_plain_push_is_signed(phone: MiniProgram, receiver: Receiver) -> None:
    event = {"MsgType": "event", "Event": "user_authorization_revoke", "OpenID": "o-alice"}

    answer = await phone.control(
        "push", {"url": f"{receiver.base_url}/push", "token": "AAAAA", "event": event}
    )

    assert answer == {"status": 200, "body": "success"}
    sent = orjson.loads(receiver.bodies[0])
    assert sent == {**event, "CreateTime": int(receiver.queries[0]["timestamp"])}
    query = receiver.queries[0]
    assert query["timestamp"] == "1772366400"
    assert is_push_signed(token="AAAAA", **query)
    assert not is_push_signed(token="BBBBB", **query)


async def test_secure_push_is_signed_and_encrypted(phone: MiniProgram, receiver: Receiver) -> None:
    key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    event = {"ToUserName": "gh_1", "Event": "user_info_modified", "OpenID": "o-alice"}

    await phone.control(
        "push",
        {
            "url": f"{receiver.base_url}/push",
            "token": "AAAAA",
            "event": event,
            "encodingAesKey": key,
        },
    )

    body, query = orjson.loads(receiver.bodies[0]), receiver.queries[0]
    assert query["encrypt_type"] == "aes"
    assert is_push_signed(
        signature=query["msg_signature"],
        token="AAAAA",
        timestamp=query["timestamp"],
        nonce=query["nonce"],
        encrypted=body["Encrypt"],
    )
    cipher = PushCipher(app_id=DEMO_APP_ID, encoding_aes_key=key)
    sent = orjson.loads(cipher.decrypt(body["Encrypt"]))
    assert sent == {**event, "CreateTime": int(query["timestamp"])}


async def test_page_shows_every_control_endpoint(phone: MiniProgram, fake: RunningFake) -> None:
    answer = await phone.http.get("/")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for path in [*POSTS, "outbox", "calls"]:
        assert f"{fake.base_url}/_fake/{path}" in answer.text
    assert DEMO_APP_ID in answer.text
    for mark in ("{base}", "{apps}", "{app}", "{secret}", "{template}", "{endpoints}"):
        assert mark not in answer.text


async def test_page_escapes_what_the_request_says(phone: MiniProgram) -> None:
    answer = await phone.http.get("/", headers={"Host": "<script>"})

    assert "<script>" not in answer.text
