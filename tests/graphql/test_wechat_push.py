"""WeChat's message push, as the fake sends it: believed when it is signed, heeded once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from api.custody.settings import PushSettings
from api.fake_wechat import DEMO_APP_ID, RunningFake
from api.fake_wechat.server import serving_in_thread
from api.settings import Settings
from domain import members, storage
from domain.wechat import PushCipher, push_signature
from tests.domain.wechat.mini_program import OTHER_APP_ID
from tests.graphql.gateway import NOW, Gateway, Session, open_gateway, settings_for
from tests.graphql.kept import changed, everything_kept
from tests.graphql.programme import set_up_programme

TOKEN = "token-of-the-console"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
PUSHES = {DEMO_APP_ID: {"token": TOKEN, "aes_key": KEY}, OTHER_APP_ID: {"token": TOKEN}}
PATH = f"/wechat/push/{DEMO_APP_ID}"


@dataclass
class Post:
    """Takes what the fake sends, so that it can be handed to the gateway as often as wanted."""

    base_url: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append((request.method, dict(request.query_params), body))
        return PlainTextResponse(request.query_params.get("echostr", "success"))


@pytest.fixture
def post() -> Iterator[Post]:
    post = Post()
    app = Starlette(routes=[Route("/push", post.take, methods=["GET", "POST"])])
    with serving_in_thread(app) as post.base_url:
        yield post


@pytest.fixture
async def open_for_pushes(
    database_url: str, tmp_path: Path, fake: RunningFake
) -> AsyncIterator[Gateway]:
    """A gateway that believes the console's token and key."""
    pushes = {app_id: PushSettings.model_validate(push) for app_id, push in PUSHES.items()}
    settings = settings_for(database_url, tmp_path, fake)
    settings = settings.model_copy(update={"wechat_pushes": pushes, "log_level": "warning"})
    async with open_gateway(settings, fake) as gateway:
        await set_up_programme(now=NOW)
        yield gateway


async def sent(gateway: Gateway, post: Post, **event: Any) -> tuple[dict[str, str], bytes]:
    """What the fake sends for an event: the query and the body."""
    told = {
        "ToUserName": "gh_870882ca4b1",
        "FromUserName": "oaKk346BaWE-eIn4oSRWbaM9vR7s",
        "CreateTime": int(gateway.clock.now().timestamp()),
        "MsgType": "event",
        "OpenID": gateway.named("o-alice"),
        "AppID": DEMO_APP_ID,
        **event,
    }
    where = {"url": f"{post.base_url}/push", "token": TOKEN, "encodingAesKey": KEY}
    await gateway.phone.control("push", {**where, "event": told})
    _, query, body = post.requests[-1]
    return query, body


async def deliver(
    gateway: Gateway, query: dict[str, str], body: bytes, path: str = PATH
) -> httpx.Response:
    return await gateway.http.post(path, params=query, content=body)


async def told(gateway: Gateway, post: Post, **event: Any) -> None:
    """An event that is delivered and answered as WeChat wants it."""
    response = await deliver(gateway, *await sent(gateway, post, **event))
    assert (response.status_code, response.text) == (200, "success")


async def alice_of(gateway: Gateway, phone: str = "+8613800138000") -> Session:
    alice = await gateway.sign_in()
    profile = {"nickname": "小明", "avatarUrl": "https://img.jifen.example/a.png"}
    await gateway.send("UpdateProfile", alice.access_token, input=profile)
    await members.bind_phone(alice.member, phone, now=NOW)
    return alice


async def profile_of(gateway: Gateway, alice: Session) -> tuple[str, str | None, str | None]:
    me = "{ me { nickname avatarUrl phoneMasked } }"
    shown = (await gateway.ask(me, token=alice.access_token)).json()["data"]["me"]
    picture, phone = shown["avatarUrl"] and "a picture", shown["phoneMasked"] and "a phone"
    return shown["nickname"], picture, phone


ALL = ("小明", "a picture", "a phone")


async def test_the_address_is_verified(open_for_pushes: Gateway, post: Post) -> None:
    gateway = open_for_pushes
    where = {"url": f"{post.base_url}/push", "token": TOKEN}
    await gateway.phone.control("push", where)
    method, query, _ = post.requests[-1]
    assert method == "GET"
    good = await gateway.http.get(PATH, params=query)
    assert (good.status_code, good.text) == (200, query["echostr"])
    for wrong in ({"signature": "0" * 40}, {"nonce": "1"}, {"timestamp": "1"}, {"timestamp": "é"}):
        assert (await gateway.http.get(PATH, params={**query, **wrong})).status_code == 403
    assert (await gateway.http.get("/wechat/push/wx0", params=query)).status_code == 404


CASES: list[tuple[dict[str, Any], tuple[str | None, ...]]] = [
    ({"Event": "user_info_modified"}, ("", None, ALL[2])),
    ({"Event": "user_authorization_revoke", "RevokeInfo": "6"}, ("", None, ALL[2])),
    ({"Event": "user_authorization_revoke", "RevokeInfo": "19"}, ("", *ALL[1:])),
    ({"Event": "user_authorization_revoke", "RevokeInfo": "20"}, (ALL[0], None, ALL[2])),
    ({"Event": "user_authorization_revoke", "RevokeInfo": "8"}, (*ALL[:2], None)),
    ({"Event": "user_authorization_revoke", "RevokeInfo": "6,8"}, ("", None, None)),
    # Nothing is held of these: an address, where they are, and what does not exist.
    ({"Event": "user_authorization_revoke", "RevokeInfo": "2"}, ALL),
    ({"Event": "user_authorization_revoke", "RevokeInfo": "13,99999999999,x"}, ALL),
    ({"Event": "user_authorization_revoke"}, ALL),
    # A plugin's matter, another app's, and events of other kinds.
    ({"Event": "user_info_modified", "PluginID": "wx1"}, ALL),
    ({"Event": "user_info_modified", "AppID": OTHER_APP_ID}, ALL),
    ({"Event": "wxa_punish_event"}, ALL),
    ({"Event": "user_info_modified", "OpenID": "o-nobody"}, ALL),
    ({"Event": "user_info_modified", "OpenID": 7}, ALL),
]
"""An event, and what is left of name, picture and phone."""


async def test_what_is_taken_back_is_deleted(open_for_pushes: Gateway, post: Post) -> None:
    for number, (event, left) in enumerate(CASES):
        gateway = replace(open_for_pushes, tag=f"-{number}")
        alice = await alice_of(gateway, f"+861380013{number:04d}")
        assert await profile_of(gateway, alice) == ALL
        before = await everything_kept()
        await told(gateway, post, **event)
        assert await profile_of(gateway, alice) == left, event
        if left == ALL:
            assert changed(before, await everything_kept()) <= {"idempotency"}


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"CreateTime": "1772366400"}, None),
        ({"CreateTime": 1772366400}, None),
        ({"CreateTime": None}, "no CreateTime"),
        ({"CreateTime": True}, "no CreateTime"),
        ({"CreateTime": "yesterday"}, "no CreateTime"),
        ({"CreateTime": "9" * 40}, "no CreateTime"),
        ({"CreateTime": -1}, "no CreateTime"),
        ({"OpenID": None}, "no OpenID"),
        ({"AppID": OTHER_APP_ID}, "another app's, or a plugin's"),
        ({"PluginID": "wx1"}, "another app's, or a plugin's"),
    ],
)
async def test_a_notice_is_heeded_or_the_log_says_why_not(
    open_for_pushes: Gateway, post: Post, event: dict[str, Any], why: str | None
) -> None:
    alice = await alice_of(open_for_pushes)
    with capture_logs() as lines:
        await told(open_for_pushes, post, Event="user_info_modified", **event)
    left = await profile_of(open_for_pushes, alice)
    assert left == (ALL if why else ("", None, ALL[2]))
    said = [(one["notice"], one["why"]) for one in lines if one["event"] == "wechat_push_ignored"]
    assert said == ([("user_info_modified", why)] if why else [])


async def test_the_push_that_the_fakes_page_shows_is_heeded(
    open_for_pushes: Gateway, post: Post
) -> None:
    gateway = open_for_pushes
    alice = await alice_of(gateway)
    where = {"url": f"{post.base_url}/push", "token": TOKEN, "encodingAesKey": KEY}
    bare = {"MsgType": "event", "Event": "user_authorization_revoke", "RevokeInfo": "6"}
    event = {**bare, "OpenID": gateway.named("o-alice")}
    await gateway.phone.control("push", {**where, "event": event})
    _, query, body = post.requests[-1]
    assert (await deliver(gateway, query, body)).text == "success"
    assert await profile_of(gateway, alice) == ("", None, ALL[2])


async def test_a_cancelled_authorization_begins_the_deletion(
    open_for_pushes: Gateway, post: Post
) -> None:
    gateway = open_for_pushes
    alice = await alice_of(gateway)
    await told(gateway, post, Event="user_authorization_cancellation")
    row = await storage.fetch_one(
        "SELECT asked_by, reason, deletes_at FROM account_deletion WHERE member_id = $1",
        alice.member,
    )
    assert row is not None
    assert dict(row) == {
        "asked_by": "wechat",
        "reason": None,
        "deletes_at": NOW + timedelta(days=7),
    }
    kept = await gateway.send(
        "CancelAccountDeletion", alice.access_token, input={"idempotencyKey": "k"}
    )
    assert kept["cancelled"] is True


async def test_a_push_that_comes_again_has_no_second_effect(
    open_for_pushes: Gateway, post: Post
) -> None:
    gateway = open_for_pushes
    alice = await alice_of(gateway)
    query, body = await sent(gateway, post, Event="user_info_modified")
    assert (await deliver(gateway, query, body)).text == "success"
    named = {"nickname": "小红"}
    await gateway.send("UpdateProfile", alice.access_token, input=named)
    before = await everything_kept()
    gateway.clock.advance(seconds=299)
    assert (await deliver(gateway, query, body)).text == "success"
    assert await everything_kept() == before
    gateway.clock.advance(seconds=2)
    assert (await deliver(gateway, query, body)).status_code == 403


async def test_nothing_is_believed_that_wechat_did_not_seal(
    open_for_pushes: Gateway, post: Post
) -> None:
    gateway = open_for_pushes
    alice = await alice_of(gateway)
    event = {"Event": "user_authorization_cancellation"}
    query, body = await sent(gateway, post, **event)
    before = await everything_kept()
    other = orjson.dumps({**orjson.loads(body), "Encrypt": "AAAA"})
    plain = orjson.dumps({**event, "OpenID": "o-alice", "CreateTime": 1, "AppID": DEMO_APP_ID})
    foreign = PushCipher(app_id=OTHER_APP_ID, encoding_aes_key=KEY).encrypt(plain)
    resealed = {
        **query,
        "msg_signature": push_signature(
            token=TOKEN, timestamp=query["timestamp"], nonce=query["nonce"], encrypted=foreign
        ),
    }
    for given, sealed, status in (
        ({**query, "msg_signature": "0" * 40}, body, 403),
        ({**query, "nonce": "other"}, body, 403),
        ({**query, "timestamp": str(int(query["timestamp"]) + 1)}, body, 403),
        (query, other, 403),
        (query, plain, 403),
        (resealed, orjson.dumps({"Encrypt": foreign}), 403),
        (query, b"", 400),
        (query, b"[]", 400),
        (query, b"{" * 10_000, 400),
        (query, b'{"Encrypt": "' + b"A" * 70_000 + b'"}', 413),
    ):
        response = await deliver(gateway, given, sealed)
        assert response.status_code == status, (response.text, sealed[:60])
    # The key of one app opens nothing at the address of another.
    assert (await deliver(gateway, query, body, "/wechat/push/wx0")).status_code == 404
    assert await everything_kept() == before
    assert await profile_of(gateway, alice) == ALL
    assert (await deliver(gateway, query, body)).text == "success"


@pytest.mark.parametrize(
    ("pushes", "problem"),
    [
        ({DEMO_APP_ID: {"token": ""}}, f"the token of {DEMO_APP_ID} is empty"),
        ({DEMO_APP_ID: {"token": "t", "aes_key": "short"}}, "must be 43 characters"),
        ({"wx2222222222222222": {"token": "t"}}, "wx2222222222222222 is not in JIFEN_WECHAT_APPS"),
    ],
)
def test_settings_that_do_not_fit_are_named(pushes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Settings(wechat_pushes=pushes)
