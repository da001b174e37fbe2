"""The fake keeps WeChat's rules: who may ask, what a code is good for, how tokens live and end."""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib
from typing import Any

import pytest

from api.fake_wechat import (
    DEMO_APP_ID,
    DEMO_APP_SECRET,
    RunningFake,
    create_fake_wechat,
    running_fake_wechat,
)
from tests.domain.wechat import fixtures
from tests.domain.wechat.mini_program import (
    OTHER_APP_ID,
    OTHER_APP_SECRET,
    TEMPLATE_ID,
    MiniProgram,
    MovableClock,
)

_serving_fake = fixtures._serving_fake
clock = fixtures.clock
fake = fixtures.fake
phone = fixtures.phone


async def exchange(phone: MiniProgram, code: str, **changes: str) -> dict[str, Any]:
    query = {
        "appid": DEMO_APP_ID,
        "secret": DEMO_APP_SECRET,
        "js_code": code,
        "grant_type": "authorization_code",
    } | changes
    answer = await phone.http.get("/sns/jscode2session", params=query)
    assert answer.status_code == 200
    fields: dict[str, Any] = answer.json()
    return fields


async def post(phone: MiniProgram, path: str, body: Any = None, **query: str) -> dict[str, Any]:
    if "access_token" not in query:
        query["access_token"] = (await phone.ask_token())["access_token"]
    answer = await phone.http.post(path, params=query, json=body)
    assert answer.status_code == 200
    fields: dict[str, Any] = answer.json()
    return fields


async def errcode_with(phone: MiniProgram, token: str) -> int:
    answer = await post(phone, "/wxa/getwxacodeunlimit", {}, access_token=token)
    return int(answer["errcode"])


ACCEPTED = 40169
"""The errcode for a missing scene: the token before it was accepted."""


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": ""}, 41002),
        ({"appid": "wx9999999999999999"}, 40013),
        ({"secret": ""}, 41004),
        ({"secret": "wrong"}, 40125),
        ({"secret": OTHER_APP_SECRET}, 40125),
        ({"grant_type": "client_credential"}, 40002),
        ({"js_code": ""}, 41008),
        ({"js_code": "unknown"}, 40029),
        ({"appid": OTHER_APP_ID, "secret": OTHER_APP_SECRET}, 40029),
    ],
)
async def test_refused_exchange_leaves_the_code_good(
    phone: MiniProgram, changes: dict[str, str], errcode: int
) -> None:
    code = await phone.login(unionid="u-1")

    refused = await exchange(phone, code, **changes)

    assert refused["errcode"] == errcode
    assert (await exchange(phone, code))["unionid"] == "u-1"
    assert (await exchange(phone, code))["errcode"] == 40163


async def test_expired_code_is_invalid_whether_used_or_not(phone: MiniProgram) -> None:
    used, unused = await phone.login(), await phone.login()
    await exchange(phone, used)
    await phone.control("expire", {"what": "codes"})

    assert (await exchange(phone, used))["errcode"] == 40029
    assert (await exchange(phone, unused))["errcode"] == 40029


async def test_old_codes_are_forgotten(
    phone: MiniProgram, fake: RunningFake, clock: MovableClock
) -> None:
    for _ in range(10):
        await phone.login()
        await phone.phone()
    clock.advance(minutes=5)
    for _ in range(10):
        await phone.login()
        await phone.phone()

    people = fake.state.people
    assert (len(people._login_codes), len(people._phone_codes)) == (10, 10)


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": ""}, 41002),
        ({"appid": "wx9999999999999999"}, 40013),
        ({"secret": "wrong"}, 40125),
        ({"grant_type": "authorization_code"}, 40002),
        ({"appid": 5}, 47001),
    ],
)
async def test_token_is_not_for_everyone(
    phone: MiniProgram, changes: dict[str, Any], errcode: int
) -> None:
    assert (await phone.ask_token(**changes))["errcode"] == errcode


async def test_token_stays_until_five_minutes_before_its_end(
    phone: MiniProgram, clock: MovableClock
) -> None:
    first = await phone.ask_token()
    assert (len(first["access_token"]) >= 512, first["expires_in"]) == (True, 7200)

    clock.advance(seconds=6899)
    assert await phone.ask_token() == first | {"expires_in": 301}

    clock.advance(seconds=1)
    second = await phone.ask_token()
    assert second["access_token"] != first["access_token"]
    assert second["expires_in"] == 7200

    # For five minutes both serve; then the old one has expired.
    clock.advance(seconds=299)
    assert await errcode_with(phone, first["access_token"]) == ACCEPTED
    clock.advance(seconds=1)
    assert await errcode_with(phone, first["access_token"]) == 42001
    assert await errcode_with(phone, second["access_token"]) == ACCEPTED


async def test_forced_token_ends_the_old_one_at_once(phone: MiniProgram) -> None:
    first = (await phone.ask_token())["access_token"]

    second = (await phone.ask_token(force_refresh=True))["access_token"]

    assert await errcode_with(phone, first) == 40001
    assert await errcode_with(phone, second) == ACCEPTED


async def test_forcing_is_limited(phone: MiniProgram, clock: MovableClock) -> None:
    token = (await phone.ask_token(force_refresh=True))["access_token"]
    clock.advance(seconds=29)
    # Too soon: answered with the token there is.
    assert (await phone.ask_token(force_refresh=True))["access_token"] == token

    for _ in range(19):
        clock.advance(seconds=30)
        forced = (await phone.ask_token(force_refresh=True))["access_token"]
        assert forced != token
        token = forced
    clock.advance(seconds=30)
    assert (await phone.ask_token(force_refresh=True))["errcode"] == 45009
    assert (await phone.ask_token())["access_token"] == token


@pytest.mark.parametrize(("token", "errcode"), [("", 41001), ("short", 40014), ("x" * 512, 40001)])
async def test_what_is_no_token(phone: MiniProgram, token: str, errcode: int) -> None:
    assert await errcode_with(phone, token) == errcode


async def test_token_speaks_for_its_own_app(phone: MiniProgram) -> None:
    code = await phone.phone(appId=OTHER_APP_ID)
    other = await phone.ask_token(appid=OTHER_APP_ID, secret=OTHER_APP_SECRET)

    path = "/wxa/business/getuserphonenumber"
    assert (await post(phone, path, {"code": code}))["errcode"] == 40029
    answer = await post(phone, path, {"code": code}, access_token=other["access_token"])
    assert answer["phone_info"] == {
        "phoneNumber": "13800138000",
        "purePhoneNumber": "13800138000",
        "countryCode": "86",
        "watermark": {"timestamp": 1772366400, "appid": OTHER_APP_ID},
    }


async def test_session_is_checked_by_signature(phone: MiniProgram) -> None:
    session = await exchange(phone, await phone.login())
    token = (await phone.ask_token())["access_token"]
    key = session["session_key"].encode()
    good = {
        "access_token": token,
        "openid": "o-alice",
        "signature": hmac.new(key, b"", hashlib.sha256).hexdigest(),
        "sig_method": "hmac_sha256",
    }

    for changes, errcode in (
        ({}, 0),
        ({"signature": "0" * 64}, 87009),
        ({"openid": "o-bob"}, 40003),
        ({"sig_method": "md5"}, 87008),
        ({"access_token": ""}, 41001),
    ):
        answer = await phone.http.get("/wxa/checksession", params=good | changes)
        assert answer.json()["errcode"] == errcode


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({}, 0),
        ({"version": 1}, 40097),
        ({"scene": 5}, 40097),
        ({"content": ""}, 44004),
        ({"content": "x" * 2501}, 45002),
        ({"content": 5}, 47001),
        ({"openid": "o-nobody"}, 40003),
    ],
)
async def test_text_check_is_checked(
    phone: MiniProgram, changes: dict[str, Any], errcode: int
) -> None:
    await exchange(phone, await phone.login())
    body = {"version": 2, "scene": 1, "openid": "o-alice", "content": "hello"}

    assert (await post(phone, "/wxa/msg_sec_check", body | changes))["errcode"] == errcode


async def test_inactive_user_is_told_apart(phone: MiniProgram) -> None:
    await exchange(phone, await phone.login())
    await phone.control("expire", {"what": "activity"})
    body = {"version": 2, "scene": 1, "openid": "o-alice", "content": "hello"}

    assert (await post(phone, "/wxa/msg_sec_check", body))["errcode"] == 61010


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({}, 0),
        ({"touser": "o-bob"}, 43101),
        ({"touser": 5}, 40003),
        ({"template_id": None}, 40037),
        ({"lang": "fr"}, 47003),
        ({"miniprogram_state": "release"}, 47003),
        ({"page": "/pages/index"}, 41030),
        ({"data": {}}, 47003),
        ({"data": {"thing1": "x"}}, 47003),
        ({"data": {"phrase3": {"value": "完成"}}}, 0),
        ({"data": {"phrase3": {"value": "done"}}}, 47003),
        ({"data": {"number2": {"value": "1.5"}}}, 0),
        ({"data": {"number2": {"value": "many"}}}, 47003),
        ({"data": {"character_string4": {"value": "O-1"}}}, 0),
        ({"data": {"character_string4": {"value": "订单"}}}, 47003),
        ({"data": {"time5": {"value": "2026年3月1日"}}}, 0),
    ],
)
async def test_message_is_checked(
    phone: MiniProgram, changes: dict[str, Any], errcode: int
) -> None:
    await phone.control("consent", {"openid": "o-alice", "templateId": TEMPLATE_ID})
    message = {
        "touser": "o-alice",
        "template_id": TEMPLATE_ID,
        "data": {"thing1": {"value": "hello"}},
    }

    answer = await post(phone, "/cgi-bin/message/subscribe/send", message | changes)

    assert answer["errcode"] == errcode


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"scene": ""}, 40169),
        ({"scene": "x" * 33}, 40169),
        ({"page": "/pages/index"}, 41030),
        ({"width": 100}, 40097),
    ],
)
async def test_impossible_picture(
    phone: MiniProgram, changes: dict[str, Any], errcode: int
) -> None:
    answer = await post(phone, "/wxa/getwxacodeunlimit", {"scene": "x"} | changes)

    assert answer["errcode"] == errcode


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (
            zlib.crc32(kind + content),
        )
        found.append((kind, content))
        at += 12 + length
    return found


async def test_picture_is_a_whole_png(phone: MiniProgram) -> None:
    token = (await phone.ask_token())["access_token"]
    answer = await phone.http.post(
        "/wxa/getwxacodeunlimit",
        params={"access_token": token},
        json={"scene": "i=K7Q2M", "page": "pages/invite/index", "width": 280},
    )

    assert answer.headers["content-type"] == "image/png"
    parts = chunks(answer.content)
    assert [kind for kind, _ in parts] == [b"IHDR", b"tEXt", b"tEXt", b"IDAT", b"IEND"]
    assert parts[0][1] == struct.pack(">II5B", 280, 280, 8, 0, 0, 0, 0)
    assert parts[1][1] == b"scene\x00i=K7Q2M"
    pixels = zlib.decompress(parts[3][1])
    assert len(pixels) == 280 * 281
    assert set(pixels) == {0, 255}


@pytest.mark.parametrize(
    ("method", "path", "errcode"),
    [
        ("POST", "/sns/jscode2session", 43001),
        ("POST", "/wxa/checksession", 43001),
        ("GET", "/cgi-bin/stable_token", 43002),
        ("GET", "/wxa/business/getuserphonenumber", 43002),
        ("GET", "/cgi-bin/message/subscribe/send", 43002),
        ("GET", "/wxa/msg_sec_check", 43002),
        ("GET", "/wxa/getwxacodeunlimit", 43002),
    ],
)
async def test_wrong_method(phone: MiniProgram, method: str, path: str, errcode: int) -> None:
    answer = await phone.http.request(method, path)

    assert (answer.status_code, answer.json()["errcode"]) == (200, errcode)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"[" * 100_000, b"x" * 300_000])
async def test_body_that_is_no_object(phone: MiniProgram, body: bytes) -> None:
    token = (await phone.ask_token())["access_token"]

    for path in ("/cgi-bin/stable_token", "/wxa/msg_sec_check", "/cgi-bin/message/subscribe/send"):
        answer = await phone.http.post(path, params={"access_token": token}, content=body)
        assert (answer.status_code, answer.json()["errcode"]) == (200, 47001)


async def test_fakes_share_nothing(phone: MiniProgram) -> None:
    code = await phone.login()
    with running_fake_wechat() as other:
        answer = await phone.http.get(
            f"{other.base_url}/sns/jscode2session",
            params={
                "appid": DEMO_APP_ID,
                "secret": DEMO_APP_SECRET,
                "js_code": code,
                "grant_type": "authorization_code",
            },
        )
        assert answer.json()["errcode"] == 40029
    assert (await exchange(phone, code))["openid"] == "o-alice"


def test_fake_without_apps_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one app"):
        create_fake_wechat({})
