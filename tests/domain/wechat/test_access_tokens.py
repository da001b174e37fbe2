"""The access token: fetched once, shared, renewed in time, replaced once, and never fought over."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace
from typing import Any

import fakeredis
import pytest
from redis import asyncio as aioredis

from api.fake_wechat import DEMO_APP_ID, RunningFake
from domain.errors import WeChatUnavailable
from domain.wechat import TextScene, TextSuggestion, WeChatClient, WeChatFault
from domain.wechat.credentials import AccessToken
from domain.wechat.shared_tokens import HeldToken, SharedTokens
from tests.domain.wechat.conftest import PROMPT, Worker
from tests.domain.wechat.mini_program import MiniProgram, MovableClock

KEY = f"jifen:wechat:token:{DEMO_APP_ID}"


@pytest.fixture(autouse=True)
async def alice_was_here(phone: MiniProgram, fake: RunningFake) -> None:
    """Alice signed in, so that her texts are checked."""
    code = await phone.login()
    fake.state.people.exchange_login_code(app_id=DEMO_APP_ID, code=code)


async def check(client: WeChatClient) -> TextSuggestion:
    verdict = await client.check_text(
        DEMO_APP_ID, openid="o-alice", scene=TextScene.COMMENT, content="hello"
    )
    return verdict.suggestion


async def check_often(*clients: WeChatClient, times: int = 20) -> None:
    checks = [check(client) for client in clients for _ in range(times)]
    assert await asyncio.gather(*checks) == [TextSuggestion.PASS] * len(checks)


async def accepted(phone: MiniProgram, token: str) -> bool:
    answer = await phone.http.post(
        "/wxa/getwxacodeunlimit", params={"access_token": token}, json={}
    )
    # 40169: the token was accepted and the missing scene was not.
    return bool(answer.json()["errcode"] == 40169)


async def test_twenty_calls_at_once_fetch_one_token(
    client: WeChatClient, phone: MiniProgram
) -> None:
    await check_often(client)

    assert await phone.calls() == {"stable_token": 1, "msg_sec_check": 20}


async def test_workers_share_one_token(worker: Worker, phone: MiniProgram) -> None:
    await check_often(worker(), worker(), worker())

    assert await phone.calls() == {"stable_token": 1, "msg_sec_check": 60}


async def test_workers_share_one_token_through_a_real_redis(
    worker: Worker, phone: MiniProgram, redis: aioredis.Redis
) -> None:
    await check_often(worker(redis=redis), worker(redis=redis))
    assert await phone.calls() == {"stable_token": 1, "msg_sec_check": 40}

    await phone.ask_token(force_refresh=True)
    await check_often(worker(redis=redis), times=1)
    # The rotated token was replaced by asking once, in the ordinary mode.
    assert await phone.calls() == {"stable_token": 3, "msg_sec_check": 42}


async def test_new_worker_finds_the_token_of_the_others(worker: Worker, phone: MiniProgram) -> None:
    await check(worker())
    await check(worker())

    assert await phone.calls() == {"stable_token": 1, "msg_sec_check": 2}


async def test_token_rotated_underneath_is_replaced_once(
    worker: Worker, phone: MiniProgram, clock: MovableClock
) -> None:
    first, second = worker(), worker()
    await check_often(first, second, times=1)
    clock.advance(minutes=1)
    rotated = (await phone.ask_token(force_refresh=True))["access_token"]
    before = await phone.calls()

    await check_often(first, second)

    after = await phone.calls()
    assert after["stable_token"] - before["stable_token"] == 1
    # A worker that came with the old token adopted the new one: nobody forced another rotation.
    assert await accepted(phone, rotated)


async def test_expired_token_is_replaced(
    client: WeChatClient, phone: MiniProgram, clock: MovableClock
) -> None:
    await check(client)
    clock.advance(hours=3)

    # WeChat calls the token expired (42001); the user has been away for more than two hours.
    assert await check(client) is TextSuggestion.UNCHECKED
    assert await phone.calls() == {"stable_token": 2, "msg_sec_check": 3}


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
async def test_token_wechat_still_hands_out_but_refuses_is_forced_out(
    client: WeChatClient, phone: MiniProgram, errcode: int
) -> None:
    await check(client)
    refused = (await phone.ask_token())["access_token"]
    await phone.break_endpoint("msg_sec_check", errcode=errcode, times=1)

    assert await check(client) is TextSuggestion.PASS

    assert not await accepted(phone, refused)
    # One at first, one of the line above, one that answered the same token, one forced.
    assert (await phone.calls())["stable_token"] == 4


async def test_token_refused_twice_is_not_tried_again(
    client: WeChatClient, phone: MiniProgram
) -> None:
    await phone.break_endpoint("msg_sec_check", errcode=40001, times=2)

    with pytest.raises(WeChatFault) as fault:
        await check(client)

    assert fault.value.errcode == 40001
    assert (await phone.calls())["msg_sec_check"] == 2
    assert await check(client) is TextSuggestion.PASS


async def test_token_is_renewed_before_its_end(
    worker: Worker, phone: MiniProgram, clock: MovableClock
) -> None:
    started_at = clock()

    def monotonic() -> float:
        return (clock() - started_at).total_seconds()

    client = worker(redis=fakeredis.FakeAsyncRedis(connected=False), monotonic=monotonic)
    await check(client)
    clock.advance(seconds=6999)
    await check(client)
    assert (await phone.calls())["stable_token"] == 1
    clock.advance(seconds=1)
    await check(client)
    # 200 seconds before its end WeChat already answers the next token.
    assert (await phone.calls())["stable_token"] == 2
    renewed = await phone.ask_token()
    assert renewed["expires_in"] == 7200


async def test_without_redis_every_worker_keeps_its_own(
    worker: Worker, phone: MiniProgram, redis_server: fakeredis.FakeServer
) -> None:
    redis_server.connected = False

    await check_often(worker(), worker())

    assert await phone.calls() == {"stable_token": 2, "msg_sec_check": 40}


async def test_without_redis_a_rotated_token_is_replaced_without_a_fight(
    worker: Worker, phone: MiniProgram, redis_server: fakeredis.FakeServer
) -> None:
    redis_server.connected = False
    first, second = worker(), worker()
    await check_often(first, second, times=1)
    rotated = (await phone.ask_token(force_refresh=True))["access_token"]

    await check_often(first, second)

    assert (await phone.calls())["stable_token"] == 2 + 1 + 2
    assert await accepted(phone, rotated)


async def test_redis_lost_in_between_does_no_harm(
    worker: Worker, phone: MiniProgram, redis_server: fakeredis.FakeServer
) -> None:
    client = worker()
    await check(client)
    redis_server.connected = False
    await phone.control("expire", {"what": "tokens"})

    await check_often(client)

    assert (await phone.calls())["stable_token"] == 2


async def test_redis_that_never_answers_costs_a_bounded_wait(
    worker: Worker, phone: MiniProgram
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        redis = aioredis.Redis(host="127.0.0.1", port=silent.getsockname()[1])
        limits = replace(PROMPT, redis_timeout_seconds=0.05)
        client = worker(redis=redis, limits=limits)
        began = time.monotonic()

        await check_often(client)

        assert time.monotonic() - began < 2
        assert (await phone.calls())["stable_token"] == 1
        await redis.aclose()


async def test_turn_of_a_worker_that_died_is_not_waited_for_long(
    worker: Worker, phone: MiniProgram, redis_server: fakeredis.FakeServer
) -> None:
    async with fakeredis.FakeAsyncRedis(server=redis_server) as redis:
        await redis.set(f"{KEY}:turn", "of a worker that died", px=60_000)
        client = worker(limits=replace(PROMPT, turn_wait_seconds=0.1))
        began = time.monotonic()

        assert await check(client) is TextSuggestion.PASS

        assert time.monotonic() - began < 2
        assert await redis.get(f"{KEY}:turn") == b"of a worker that died"
    # The token was shared all the same.
    await check(worker())
    assert (await phone.calls())["stable_token"] == 1


async def test_turn_is_handed_back(worker: Worker, redis_server: fakeredis.FakeServer) -> None:
    async with fakeredis.FakeAsyncRedis(server=redis_server) as redis:
        await check(worker())

        assert [key async for key in redis.scan_iter()] == [KEY.encode()]
        # 7200 seconds less the margin of 200, less what the test took.
        assert 6_990_000 <= await redis.pttl(KEY) <= 7_000_000


def held(text: str) -> HeldToken:
    return HeldToken(token=AccessToken(text), renew_at=time.monotonic() + 100)


@pytest.mark.parametrize(
    ("in_redis", "refused", "used"),
    [
        (None, None, "offered"),
        (None, "old", "offered"),
        ("old", "old", "offered"),
        ("newer", "old", "newer"),
        ("newer", None, "newer"),
    ],
)
async def test_late_renewal_does_not_evict_a_newer_token(
    redis_server: fakeredis.FakeServer, in_redis: str | None, refused: str | None, used: str
) -> None:
    async with fakeredis.FakeAsyncRedis(server=redis_server) as redis:
        if in_redis is not None:
            await redis.set(KEY, in_redis, px=50_000)
        shared = SharedTokens(redis, limits=PROMPT)

        answer = await shared.offer(
            DEMO_APP_ID,
            offered=held("offered"),
            refused=None if refused is None else AccessToken(refused),
        )

        assert answer.token == AccessToken(used)
        assert await redis.get(KEY) == used.encode()


@pytest.mark.parametrize(
    "fault", [{"garbage": True}, {"drop": True}, {"status": 500}, {"errcode": -1}]
)
async def test_no_token_no_call(
    client: WeChatClient, phone: MiniProgram, fault: dict[str, Any]
) -> None:
    await phone.break_endpoint("stable_token", **fault)

    with pytest.raises(WeChatUnavailable):
        await check(client)

    assert await phone.calls() == {"stable_token": 3}


async def test_failed_fetch_is_not_remembered(client: WeChatClient, phone: MiniProgram) -> None:
    await phone.break_endpoint("stable_token", errcode=-1, times=3)

    with pytest.raises(WeChatUnavailable):
        await check(client)
    assert await check(client) is TextSuggestion.PASS
