"""WeChat busy, slow, broken or gone: bounded, repeated only where that is harmless, and told so."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.fake_wechat import DEMO_APP_ID, DEMO_APP_SECRET, RunningFake
from api.fake_wechat.server import serving_in_thread
from domain.errors import WeChatCodeUsed, WeChatUnavailable
from domain.wechat import (
    SessionKey,
    SubscribeOutcome,
    TextScene,
    TextSuggestion,
    WeChatClient,
    WeChatLimits,
)
from domain.wechat.credentials import AccessToken
from domain.wechat.transport import WeChatRequest
from tests.domain.wechat.conftest import PROMPT, Worker
from tests.domain.wechat.mini_program import TEMPLATE_ID, MiniProgram

Call = Callable[[WeChatClient], Awaitable[object]]

ONCE_ONLY: dict[str, Call] = {
    "jscode2session": lambda client: client.code2session(DEMO_APP_ID, "code"),
    "getuserphonenumber": lambda client: client.phone_number(DEMO_APP_ID, "code"),
    "subscribe_send": lambda client: client.send_subscribe_message(
        DEMO_APP_ID, openid="o-alice", template_id=TEMPLATE_ID, values={"thing1": "x"}
    ),
}
REPEATABLE: dict[str, Call] = {
    "checksession": lambda client: client.check_session(
        DEMO_APP_ID, openid="o-alice", session_key=SessionKey("AAAA")
    ),
    "msg_sec_check": lambda client: client.check_text(
        DEMO_APP_ID, openid="o-alice", scene=TextScene.SOCIAL, content="x"
    ),
    "getwxacodeunlimit": lambda client: client.mini_program_code(DEMO_APP_ID, scene="x"),
}
AMBIGUOUS: list[dict[str, Any]] = [{"garbage": True}, {"drop": True}, {"status": 500}, {"slow": 60}]


def limits_for(fault: dict[str, Any]) -> WeChatLimits:
    return replace(PROMPT, read_timeout_seconds=0.2) if "slow" in fault else PROMPT


async def test_busy_twice_then_well(client: WeChatClient, phone: MiniProgram) -> None:
    await phone.break_endpoint("jscode2session", errcode=-1, times=2)

    session = await client.code2session(DEMO_APP_ID, await phone.login())

    assert session.openid == "o-alice"
    assert await phone.calls() == {"jscode2session": 3}


@pytest.mark.parametrize("endpoint", [*ONCE_ONLY, *REPEATABLE])
async def test_busy_is_repeated_three_times_at_most(
    client: WeChatClient, phone: MiniProgram, endpoint: str
) -> None:
    await phone.break_endpoint(endpoint, errcode=-1)

    with pytest.raises(WeChatUnavailable):
        await (ONCE_ONLY | REPEATABLE)[endpoint](client)

    assert (await phone.calls())[endpoint] == 3


@pytest.mark.parametrize("fault", AMBIGUOUS, ids=str)
@pytest.mark.parametrize("endpoint", ONCE_ONLY)
async def test_single_use_call_is_not_repeated_when_wechat_may_have_acted(
    worker: Worker, phone: MiniProgram, endpoint: str, fault: dict[str, Any]
) -> None:
    await phone.break_endpoint(endpoint, **fault)

    with pytest.raises(WeChatUnavailable):
        await ONCE_ONLY[endpoint](worker(limits=limits_for(fault)))

    assert (await phone.calls())[endpoint] == 1


@pytest.mark.parametrize("fault", AMBIGUOUS, ids=str)
@pytest.mark.parametrize("endpoint", REPEATABLE)
async def test_repeatable_call_is_tried_three_times(
    worker: Worker, phone: MiniProgram, endpoint: str, fault: dict[str, Any]
) -> None:
    await phone.break_endpoint(endpoint, **fault)

    with pytest.raises(WeChatUnavailable):
        await REPEATABLE[endpoint](worker(limits=limits_for(fault)))

    assert (await phone.calls())[endpoint] == 3


async def test_dropped_connection_of_a_repeatable_call_is_made_good(
    client: WeChatClient, phone: MiniProgram
) -> None:
    await client.code2session(DEMO_APP_ID, await phone.login())
    await phone.break_endpoint("msg_sec_check", drop=True, times=2)

    verdict = await client.check_text(
        DEMO_APP_ID, openid="o-alice", scene=TextScene.SOCIAL, content="x"
    )

    assert verdict.suggestion is TextSuggestion.PASS
    assert (await phone.calls())["msg_sec_check"] == 3


async def test_code_whose_answer_was_lost_is_not_sent_twice(
    client: WeChatClient, phone: MiniProgram
) -> None:
    code = await phone.login()
    await phone.break_endpoint("jscode2session", drop=True, after=True, times=1)

    with pytest.raises(WeChatUnavailable):
        await client.code2session(DEMO_APP_ID, code)

    assert await phone.calls() == {"jscode2session": 1}
    # Here a repetition would have ended: WeChat did act, and only the answer was lost.
    with pytest.raises(WeChatCodeUsed):
        await client.code2session(DEMO_APP_ID, code)


async def test_message_whose_answer_was_lost_is_sent_once(
    client: WeChatClient, phone: MiniProgram
) -> None:
    await phone.control("consent", {"openid": "o-alice", "templateId": TEMPLATE_ID, "count": 3})
    await phone.break_endpoint("subscribe_send", drop=True, after=True, times=1)

    with pytest.raises(WeChatUnavailable):
        await ONCE_ONLY["subscribe_send"](client)

    assert len((await phone.http.get("/_fake/outbox")).json()["messages"]) == 1


async def test_slow_answer_within_the_limits_is_waited_for(
    client: WeChatClient, phone: MiniProgram
) -> None:
    await phone.control("consent", {"openid": "o-alice", "templateId": TEMPLATE_ID})
    await phone.break_endpoint("subscribe_send", slow=0.05, times=1)

    result = await client.send_subscribe_message(
        DEMO_APP_ID, openid="o-alice", template_id=TEMPLATE_ID, values={"thing1": "x"}
    )

    assert result.outcome is SubscribeOutcome.SENT


@pytest.mark.parametrize("slow", ["jscode2session", "stable_token", "msg_sec_check"])
async def test_whole_call_ends_at_its_deadline(
    worker: Worker, phone: MiniProgram, slow: str
) -> None:
    await phone.break_endpoint(slow, slow=60)
    client = worker(limits=replace(PROMPT, deadline_seconds=0.2))
    call = (ONCE_ONLY | REPEATABLE)["msg_sec_check" if slow == "stable_token" else slow]
    began = time.monotonic()

    with pytest.raises(WeChatUnavailable):
        await call(client)

    assert 0.2 <= time.monotonic() - began < 1.5


async def test_twenty_calls_that_wait_for_one_slow_token_end_at_their_deadline(
    worker: Worker, phone: MiniProgram
) -> None:
    await phone.break_endpoint("stable_token", slow=60)
    client = worker(limits=replace(PROMPT, deadline_seconds=0.2))
    began = time.monotonic()

    results = await asyncio.gather(
        *(REPEATABLE["msg_sec_check"](client) for _ in range(20)), return_exceptions=True
    )

    assert [type(result) for result in results] == [WeChatUnavailable] * 20
    assert time.monotonic() - began < 2


async def test_cancelled_call_lets_the_next_one_through(
    client: WeChatClient, phone: MiniProgram
) -> None:
    await phone.break_endpoint("stable_token", slow=60, times=1)
    waiting = asyncio.ensure_future(REPEATABLE["getwxacodeunlimit"](client))
    while (await phone.calls()).get("stable_token") != 1:
        assert not waiting.done()

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await REPEATABLE["getwxacodeunlimit"](client)


async def test_server_that_is_not_there(worker: Worker) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        client = worker(base_url=base_url, http=None)
        with pytest.raises(WeChatUnavailable) as refusal:
            await ONCE_ONLY["jscode2session"](client)
    assert refusal.value.retryable
    # The request, whose URL holds the app secret, must not hang on the refusal.
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


class UnreachableAtFirst(httpx.AsyncHTTPTransport):
    """A network on which the first connections cannot be made."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.failures:
            self.failures -= 1
            raise httpx.ConnectError("no route", request=request)
        return await super().handle_async_request(request)


@pytest.mark.parametrize(("failures", "served"), [(2, True), (3, False)])
async def test_what_was_never_sent_is_repeated_even_for_a_code(
    worker: Worker, phone: MiniProgram, failures: int, served: bool
) -> None:
    async with httpx.AsyncClient(transport=UnreachableAtFirst(failures)) as http:
        client = worker(http=http)
        code = await phone.login()
        if served:
            assert (await client.code2session(DEMO_APP_ID, code)).openid == "o-alice"
        else:
            with pytest.raises(WeChatUnavailable):
                await client.code2session(DEMO_APP_ID, code)
        await client.aclose()
        assert not http.is_closed
    assert await phone.calls() == ({"jscode2session": 1} if served else {})


async def test_answer_that_is_too_large_is_not_read(worker: Worker, phone: MiniProgram) -> None:
    client = worker(limits=replace(PROMPT, response_bytes_max=100))

    with pytest.raises(WeChatUnavailable):
        await client.code2session(DEMO_APP_ID, await phone.login(openid="o" * 64))
    assert await phone.calls() == {"jscode2session": 1}


async def test_redirect_is_not_followed(worker: Worker, fake: RunningFake) -> None:
    async def answer(request: Request) -> Response:
        return RedirectResponse(f"{fake.base_url}{request.url.path}?{request.url.query}")

    app = Starlette(routes=[Route("/sns/jscode2session", answer)])
    with serving_in_thread(app) as base_url, pytest.raises(WeChatUnavailable):
        await ONCE_ONLY["jscode2session"](worker(base_url=base_url))
    assert fake.state.faults.calls == {}


async def test_proxy_of_the_environment_is_not_asked_for_this_machine(
    worker: Worker, phone: MiniProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert (
        await worker(http=None).code2session(DEMO_APP_ID, await phone.login())
    ).openid == "o-alice"


@pytest.mark.parametrize("base_url", ["", "api.weixin.qq.com", "ftp://api.weixin.qq.com"])
def test_base_url_must_be_http(worker: Worker, base_url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        worker(base_url=base_url)


async def test_no_secret_reaches_the_log(
    client: WeChatClient,
    phone: MiniProgram,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    codes = [await phone.login(), await phone.login()]
    session = await client.code2session(DEMO_APP_ID, codes[0])
    await phone.break_endpoint("*", errcode=-1, times=1)
    await phone.break_endpoint("msg_sec_check", errcode=40001, times=1)
    await client.code2session(DEMO_APP_ID, codes[1])
    await REPEATABLE["msg_sec_check"](client)
    with pytest.raises(WeChatCodeUsed):
        await client.code2session(DEMO_APP_ID, codes[0])
    token = (await phone.ask_token())["access_token"]

    printed = capsys.readouterr()
    said = "\n".join([caplog.text, printed.out, printed.err])

    assert "/sns/jscode2session" in said
    for secret in (DEMO_APP_SECRET, token, session.session_key.reveal(), *codes):
        assert secret not in said


def test_no_secret_is_in_the_text_of_an_object() -> None:
    request = WeChatRequest(
        method="GET",
        path="/sns/jscode2session",
        repeatable=False,
        params={"secret": "hidden"},
        body={"secret": "hidden"},
    )
    for value in (SessionKey("hidden"), AccessToken("hidden"), request):
        assert "hidden" not in f"{value} {value!r}"
    assert repr(SessionKey("hidden")) == "SessionKey(***)"
    assert SessionKey("hidden") == SessionKey("hidden")


def test_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="SessionKey is empty"):
        SessionKey("")
