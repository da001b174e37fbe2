"""Racing first sign-ins: one person, one member, one welcome."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from api.fake_wechat import DEMO_APP_ID, RunningFake
from domain.access import KeyRing
from domain.members import SignedIn, SignInWithWeChat, identities
from tests.domain.members.fixtures import Door, announced, count
from tests.domain.wechat.mini_program import OTHER_APP_ID
from tests.races.contention import Gate

CROWD = 20
# Everybody has looked for the member and found nobody before the first may write.
NOBODY_JOINS = "LOCK TABLE member IN SHARE MODE"


async def commands(door: Door, number: int, **who: str) -> list[SignInWithWeChat]:
    app_id = who.get("appId", DEMO_APP_ID)
    return [
        SignInWithWeChat(app_id=app_id, code=await door.phone.login(**who)) for _ in range(number)
    ]


async def one_member(signed_in: list[tuple[UUID, bool]]) -> UUID:
    """The one member that all of them are; exactly one joined."""
    (member_id,) = {member_id for member_id, _ in signed_in}
    assert [is_new for _, is_new in signed_in].count(True) == 1
    assert await count("member") == 1
    assert await count("member_session") == await count("refresh_token") == len(signed_in)
    assert [kind for kind, _ in await announced()] == ["MemberJoined"]
    return member_id


def answers(signed_in: list[SignedIn]) -> list[tuple[UUID, bool]]:
    return [(each.member.id, each.is_new_member) for each in signed_in]


async def test_twenty_first_sign_ins_of_one_openid_make_one_member(door: Door, gate: Gate) -> None:
    waiting = await commands(door, CROWD, openid="o-alice")
    await gate.hold(NOBODY_JOINS)
    crowd = asyncio.gather(*(door.use(command) for command in waiting))
    await gate.open(waiting=CROWD)
    member_id = await one_member(answers(await crowd))
    assert [each.subject for each in await identities(member_id)] == ["o-alice"]


@pytest.mark.usefixtures("database")
async def test_twenty_first_sign_ins_on_either_database(door: Door) -> None:
    waiting = await commands(door, CROWD, openid="o-alice", unionid="u-alice")
    await one_member(answers(await asyncio.gather(*(door.use(each) for each in waiting))))


async def test_one_person_who_comes_in_by_two_apps_at_once_is_one_member(
    door: Door, gate: Gate
) -> None:
    here = await commands(door, CROWD // 2, openid="o-here", unionid="u-alice")
    there = await commands(
        door, CROWD // 2, openid="o-there", unionid="u-alice", appId=OTHER_APP_ID
    )
    await gate.hold(NOBODY_JOINS)
    crowd = asyncio.gather(*(door.use(command) for command in [*here, *there]))
    await gate.open(waiting=CROWD)
    member_id = await one_member(answers(await crowd))
    known_by = {
        (each.kind.value, each.app_id, each.subject) for each in await identities(member_id)
    }
    assert known_by == {
        ("wechat_openid", DEMO_APP_ID, "o-here"),
        ("wechat_openid", OTHER_APP_ID, "o-there"),
        ("wechat_unionid", "", "u-alice"),
    }


async def test_two_processes_make_one_member_too(
    door: Door, gate: Gate, postgres: str, fake: RunningFake, ring: KeyRing
) -> None:
    here = await commands(door, CROWD // 2, openid="o-alice", unionid="u-alice")
    there = await commands(door, CROWD // 2, openid="o-alice", unionid="u-alice")
    await gate.hold(NOBODY_JOINS)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.races.signing_in", postgres, fake.base_url, str(ring.path)),
        *(f"{each.app_id}:{each.code}" for each in there),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    crowd = asyncio.gather(*(door.use(command) for command in here))
    await gate.open(waiting=CROWD)
    output, _ = await process.communicate()
    assert process.returncode == 0
    elsewhere = [
        (UUID(member_id), is_new) for member_id, is_new in orjson.loads(output.splitlines()[-1])
    ]
    await one_member([*answers(await crowd), *elsewhere])
