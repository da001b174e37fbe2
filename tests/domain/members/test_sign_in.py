"""Signing in through the fake WeChat: who is who, who joins, and what a refusal leaves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.fake_wechat import DEMO_APP_ID
from domain.access import CallerKind
from domain.errors import (
    InvalidInput,
    Refusal,
    UnknownApp,
    WeChatCodeInvalid,
    WeChatCodeUsed,
    WeChatRateLimited,
    WeChatUnavailable,
    WeChatUserBlocked,
)
from domain.members import (
    ByExternalReference,
    IdentityKind,
    Member,
    SignInWithWeChat,
    authenticate,
    identities,
    register_external_members,
)
from domain.storage import fetch_all, transaction
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import Door, announced, count, everything_kept
from tests.domain.wechat.mini_program import OTHER_APP_ID

pytestmark = pytest.mark.usefixtures("database")

LATER = NOW + timedelta(hours=1)


async def known_by(member: Member) -> list[tuple[str, str, str]]:
    return [(each.kind.value, each.app_id, each.subject) for each in await identities(member.id)]


async def test_the_first_sign_in_makes_a_member_with_a_live_session(door: Door) -> None:
    signed_in = await door.sign_in("o-alice", unionid="u-alice")
    member = signed_in.member
    assert signed_in.is_new_member
    assert member == Member(
        id=member.id,
        nickname="",
        avatar_url=None,
        birthday=None,
        gender=None,
        preferred_channel=None,
        joined_at=NOW,
        version=1,
    )
    assert member.id.version == 7
    assert await known_by(member) == [
        ("wechat_openid", DEMO_APP_ID, "o-alice"),
        ("wechat_unionid", "", "u-alice"),
    ]

    session = signed_in.session
    caller = door.tokens.verify(session.access_token, NOW)
    assert (caller.kind, caller.subject) == (CallerKind.MEMBER, member.id)
    assert caller.session_id == session.session_id
    assert caller.expires_at == session.access_token_expires_at
    assert session.access_token_expires_at == (NOW + timedelta(minutes=15)).replace(microsecond=0)
    assert await authenticate(caller, now=NOW) == member

    (kept,) = await fetch_all("SELECT * FROM member_session")
    assert (kept["member_id"], kept["id"]) == (member.id, session.session_id)
    assert (kept["app_id"], kept["started_at"]) == (DEMO_APP_ID, NOW)
    assert kept["expires_at"] == NOW + timedelta(days=60)


async def test_joining_is_announced_once_with_the_invite_code(door: Door) -> None:
    await door.sign_in("o-alice", invite_code="FRIEND-7")
    await door.sign_in("o-alice", invite_code="OTHER")
    facts = {"via": "wechat", "app_id": DEMO_APP_ID, "invite_code": "FRIEND-7"}
    assert await announced() == [("MemberJoined", facts)]


async def test_the_second_sign_in_is_the_same_member_with_a_session_of_its_own(door: Door) -> None:
    first = await door.sign_in("o-alice")
    second = await door.sign_in("o-alice", now=LATER)
    assert not second.is_new_member
    assert second.member == first.member
    assert second.session.session_id != first.session.session_id
    for session, at in ((first.session, NOW), (second.session, LATER)):
        caller = door.tokens.verify(session.access_token, at)
        assert await authenticate(caller, now=LATER) == first.member
    assert await count("member") == 1
    assert await count("member_session") == 2


async def test_one_openid_in_two_apps_is_two_people(door: Door) -> None:
    here = await door.sign_in("o-same", app_id=DEMO_APP_ID)
    there = await door.sign_in("o-same", app_id=OTHER_APP_ID)
    assert there.is_new_member
    assert there.member.id != here.member.id


async def test_a_known_unionid_leads_another_apps_openid_to_the_same_member(door: Door) -> None:
    here = await door.sign_in("o-here", unionid="u-alice")
    there = await door.sign_in("o-there", unionid="u-alice", app_id=OTHER_APP_ID, now=LATER)
    assert not there.is_new_member
    assert there.member == here.member
    assert await known_by(here.member) == [
        ("wechat_openid", DEMO_APP_ID, "o-here"),
        ("wechat_unionid", "", "u-alice"),
        ("wechat_openid", OTHER_APP_ID, "o-there"),
    ]
    # Bound for good: the next time no unionid is needed.
    again = await door.sign_in("o-there", app_id=OTHER_APP_ID)
    assert again.member == here.member


async def test_a_unionid_that_arrives_later_is_bound(door: Door) -> None:
    first = await door.sign_in("o-here")
    await door.sign_in("o-here", unionid="u-alice", now=LATER)
    there = await door.sign_in("o-there", unionid="u-alice", app_id=OTHER_APP_ID)
    assert there.member == first.member
    assert await count("member") == 1


async def test_a_unionid_of_another_member_leaves_both_and_never_fails_the_sign_in(
    door: Door,
) -> None:
    here = await door.sign_in("o-here", unionid="u-alice")
    there = await door.sign_in("o-there", app_id=OTHER_APP_ID)
    assert there.member.id != here.member.id
    before = await known_by(here.member), await known_by(there.member)

    # WeChat now says that both are u-alice: the openid decides, and nothing is bound anew.
    torn = await door.sign_in("o-there", unionid="u-alice", app_id=OTHER_APP_ID)
    assert (torn.member, torn.is_new_member) == (there.member, False)
    assert (await known_by(here.member), await known_by(there.member)) == before


async def test_a_unionid_is_no_external_reference(door: Door) -> None:
    (imported,) = (
        await register_external_members([ByExternalReference("u-alice")], now=NOW)
    ).values()
    signed_in = await door.sign_in("o-alice", unionid="u-alice")
    assert signed_in.is_new_member
    assert signed_in.member.id != imported


async def refused(door: Door, command: SignInWithWeChat, refusal: type[Refusal]) -> None:
    """The sign-in is refused and changes nothing."""
    before = await everything_kept()
    with pytest.raises(refusal):
        await door.use(command)
    assert await everything_kept() == before


def with_code(code: str, **others: str) -> SignInWithWeChat:
    return SignInWithWeChat(**{"app_id": DEMO_APP_ID, "code": code} | others)


async def test_codes_that_are_no_good(door: Door) -> None:
    used = await door.phone.login(openid="o-alice")
    await door.use(with_code(used))
    await refused(door, with_code(used), WeChatCodeUsed)
    for code in ("unknown", "", "a\x00b", "登录", "a" * 10_000):
        await refused(door, with_code(code), WeChatCodeInvalid)

    await door.phone.control("expire", {"what": "codes"})
    stale = await door.phone.login(openid="o-bob")
    await door.phone.control("expire", {"what": "codes"})
    await refused(door, with_code(stale), WeChatCodeInvalid)


async def test_a_code_of_another_app_and_an_unknown_app(door: Door) -> None:
    elsewhere = await door.phone.login(openid="o-alice", appId=OTHER_APP_ID)
    await refused(door, with_code(elsewhere), WeChatCodeInvalid)
    code = await door.phone.login(openid="o-alice")
    for app_id in ("wx9999999999999999", "", "a\x00"):
        await refused(door, with_code(code, app_id=app_id), UnknownApp)


async def test_what_wechat_refuses(door: Door) -> None:
    refusals: dict[int, type[Refusal]] = {
        -1: WeChatUnavailable,
        45011: WeChatRateLimited,
        40226: WeChatUserBlocked,
    }
    for errcode, refusal in refusals.items():
        code = await door.phone.login(openid="o-alice")
        await door.phone.break_endpoint("jscode2session", errcode=errcode, times=9)
        await refused(door, with_code(code), refusal)
        await door.phone.http.delete("/_fake/faults")


async def test_an_invite_code_that_is_no_text_is_refused_before_the_code_is_used(
    door: Door,
) -> None:
    code = await door.phone.login(openid="o-alice")
    for invite_code in ("a\x00b", "a\nb", "\ud800", "a" * 65):
        with pytest.raises(InvalidInput) as refusal:
            await door.use(with_code(code, invite_code=invite_code))
        assert refusal.value.field == ("invite_code",)
    assert await count("member") == 0
    assert (await door.use(with_code(code, invite_code="a" * 64))).is_new_member


async def test_wechat_is_never_asked_inside_a_transaction(door: Door) -> None:
    code = await door.phone.login(openid="o-alice")
    with pytest.raises(AssertionError, match="no network call"):
        await transaction(lambda: door.use(with_code(code)))
    assert (await door.phone.calls()).get("jscode2session", 0) == 0


async def test_secrets_and_subjects_stay_out_of_texts(door: Door) -> None:
    signed_in = await door.sign_in("o-1234567890-secret")
    text = repr(signed_in)
    assert signed_in.session.access_token not in text
    assert signed_in.session.refresh_token not in text
    (identity,) = await identities(signed_in.member.id)
    assert identity.kind is IdentityKind.WECHAT_OPENID
    assert identity.label == "o-…cret"
    assert "1234567890" not in repr(identity)
