"""Signing in as a mini-program does: `wx.login`, then one mutation."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from api.fake_wechat import DEMO_APP_ID
from domain.members import identities
from tests.domain.wechat.mini_program import OTHER_APP_ID
from tests.graphql.gateway import Gateway
from tests.graphql.kept import changed, everything_kept
from tests.graphql.operations import operation

pytestmark = pytest.mark.asyncio(loop_scope="module")

CROWD = 20


async def known_by(member: UUID) -> set[tuple[str, str, str]]:
    return {(one.kind.value, one.app_id, one.subject) for one in await identities(member)}


async def test_the_first_sign_in_makes_a_member_and_the_second_finds_them(
    gateway: Gateway,
) -> None:
    first = await gateway.sign_in("o-alice")
    gateway.clock.advance(hours=1)
    before = await everything_kept()
    second = await gateway.sign_in("o-alice")

    assert first.is_new_member
    assert not second.is_new_member
    assert second.member_id == first.member_id
    assert second.refresh_token != first.refresh_token
    assert first.access_token_expires_at == "2026-03-01T12:15:00Z"
    assert second.access_token_expires_at == "2026-03-01T13:15:00Z"
    assert await known_by(first.member) == {
        ("wechat_openid", DEMO_APP_ID, gateway.named("o-alice"))
    }
    assert changed(before, await everything_kept()) == {"member_session", "refresh_token"}

    query = "{ me { id joinedAt nickname } }"
    response = await gateway.ask(query, token=second.access_token)
    assert response.json() == {
        "data": {"me": {"id": first.member_id, "joinedAt": "2026-03-01T12:00:00Z", "nickname": ""}}
    }


async def test_a_known_unionid_leads_another_apps_openid_to_the_same_member(
    gateway: Gateway,
) -> None:
    here = await gateway.sign_in("o-here", unionid="u-alice")
    there = await gateway.sign_in("o-there", unionid="u-alice", app_id=OTHER_APP_ID)
    stranger = await gateway.sign_in("o-here", unionid="u-bob", app_id=OTHER_APP_ID)

    assert (here.is_new_member, there.is_new_member, stranger.is_new_member) == (True, False, True)
    assert there.member_id == here.member_id != stranger.member_id
    assert await known_by(here.member) == {
        ("wechat_openid", DEMO_APP_ID, gateway.named("o-here")),
        ("wechat_openid", OTHER_APP_ID, gateway.named("o-there")),
        ("wechat_unionid", "", gateway.named("u-alice")),
    }
    # Later WeChat need not name the unionid again.
    assert (await gateway.sign_in("o-there", app_id=OTHER_APP_ID)).member_id == here.member_id


async def test_twenty_first_sign_ins_of_one_openid_at_once_make_one_member(
    gateway: Gateway,
) -> None:
    codes = [await gateway.login() for _ in range(CROWD)]
    before = await everything_kept()

    sessions = await asyncio.gather(*(gateway.exchange(code) for code in codes))

    assert len({session.member_id for session in sessions}) == 1
    assert [session.is_new_member for session in sessions].count(True) == 1
    assert len({session.refresh_token for session in sessions}) == CROWD
    after = await everything_kept()
    assert {table: len(after[table]) - len(before[table]) for table in changed(before, after)} == {
        "member": 1,
        "member_identity": 1,
        "member_session": CROWD,
        "refresh_token": CROWD,
        "outbox": 1,
        "outbox_stream": 1,
    }
    for session in sessions:
        response = await gateway.ask("{ me { id } }", token=session.access_token)
        assert response.json() == {"data": {"me": {"id": session.member_id}}}


async def refusal(gateway: Gateway, app_id: str, code: str, language: str = "en") -> Any:
    """The one refusal of a sign-in; it must have changed nothing."""
    before = await everything_kept()
    variables = {"input": {"appId": app_id, "code": code}}
    response = await gateway.ask(operation("SignInWithWeChat"), variables, language=language)
    assert response.status_code == 200
    payload = response.json()["data"]["signInWithWeChat"]
    assert payload["session"] is None
    assert await everything_kept() == before
    (error,) = payload["userErrors"]
    return error


async def test_refusals_of_wechat_are_answers(gateway: Gateway) -> None:
    await gateway.sign_in("o-alice")
    expired = await gateway.login()
    await gateway.phone.control("expire", {"what": "codes"})
    used = await gateway.login()
    await gateway.exchange(used)
    of_another_app = await gateway.login(app_id=OTHER_APP_ID)

    for app_id, code, expected in (
        (DEMO_APP_ID, used, "WECHAT_CODE_USED"),
        (DEMO_APP_ID, expired, "WECHAT_CODE_INVALID"),
        (DEMO_APP_ID, "0123456789abcdef0123456789abcdef", "WECHAT_CODE_INVALID"),
        (DEMO_APP_ID, of_another_app, "WECHAT_CODE_INVALID"),
        (DEMO_APP_ID, "", "WECHAT_CODE_INVALID"),
        (DEMO_APP_ID, "x" * 10_000, "WECHAT_CODE_INVALID"),
        (DEMO_APP_ID, "微信\u202e🍵", "WECHAT_CODE_INVALID"),
        ("wx0000000000000000", used, "APP_UNKNOWN"),
        ("", used, "APP_UNKNOWN"),
    ):
        error = await refusal(gateway, app_id, code)
        assert (error["code"], error["retryable"]) == (expected, False), (app_id, code[:40])

    assert await refusal(gateway, DEMO_APP_ID, used, language="zh") == {
        "code": "WECHAT_CODE_USED",
        "message": "微信登录凭证已被使用，请重新登录",
        "field": None,
        "retryable": False,
    }


async def test_an_app_whose_secret_wechat_does_not_know_is_no_app_of_ours(
    gateway: Gateway,
) -> None:
    code = await gateway.login(app_id=OTHER_APP_ID)
    await gateway.phone.control("apps", {"appId": OTHER_APP_ID, "secret": "changed-yesterday"})

    assert (await refusal(gateway, OTHER_APP_ID, code))["code"] == "APP_UNKNOWN"


async def test_busy_wechat_is_asked_again_and_then_told(gateway: Gateway) -> None:
    code = await gateway.login()
    await gateway.phone.break_endpoint("jscode2session", errcode=-1)

    assert await refusal(gateway, DEMO_APP_ID, code) == {
        "code": "WECHAT_UNAVAILABLE",
        "message": "WeChat is busy; try again later",
        "field": None,
        "retryable": True,
    }
    assert await gateway.phone.calls() == {"jscode2session": 3}

    # The code was not used up: the very request that was refused succeeds later.
    await gateway.phone.http.delete("/_fake/faults")
    await gateway.phone.break_endpoint("jscode2session", errcode=-1, times=1)
    assert (await gateway.exchange(code)).is_new_member


@pytest.mark.parametrize(
    ("errcode", "expected", "retryable"),
    [(45011, "WECHAT_RATE_LIMITED", True), (40226, "WECHAT_USER_BLOCKED", False)],
)
async def test_what_else_wechat_may_say(
    gateway: Gateway, errcode: int, expected: str, retryable: bool
) -> None:
    code = await gateway.login()
    await gateway.phone.break_endpoint("jscode2session", errcode=errcode, times=1)
    error = await refusal(gateway, DEMO_APP_ID, code)
    assert (error["code"], error["retryable"]) == (expected, retryable)


async def test_an_answer_of_wechat_that_makes_no_sense_is_no_fault_of_the_client(
    gateway: Gateway,
) -> None:
    for fault in ({"garbage": True}, {"status": 502}, {"drop": True}):
        code = await gateway.login()
        await gateway.phone.break_endpoint("jscode2session", times=1, **fault)
        error = await refusal(gateway, DEMO_APP_ID, code)
        assert (error["code"], error["retryable"]) == ("WECHAT_UNAVAILABLE", True), fault


async def test_an_invite_code_has_its_rule(gateway: Gateway) -> None:
    code = await gateway.login()
    before = await everything_kept()
    variables = {"appId": DEMO_APP_ID, "code": code, "inviteCode": "i" * 65}
    payload = await gateway.send("SignInWithWeChat", input=variables)

    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [
        ("INVALID_INPUT", ["inviteCode"])
    ]
    assert await everything_kept() == before
    assert await gateway.phone.calls() == {}, "WeChat was not asked, the code is still good"
    payload = await gateway.send("SignInWithWeChat", input=variables | {"inviteCode": "i" * 64})
    assert payload["session"]["isNewMember"] is True
