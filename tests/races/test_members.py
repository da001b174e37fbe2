"""Racing registrations and changes of one member."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
import structlog.testing

from domain.members import (
    ByExternalReference,
    UpdateProfile,
    interests,
    members_by_ids,
    register_external_members,
    replace_declared_interests,
    resolve_members,
    update_profile,
)
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import announced, count
from tests.races.contention import Gate

CROWD = 20


@pytest.fixture
async def member_id(postgres: str) -> UUID:
    return (await register_external_members([ByExternalReference("alice")], now=NOW))["alice"]


@pytest.mark.usefixtures("postgres")
async def test_racing_imports_register_each_reference_once(gate: Gate) -> None:
    # Each batch overlaps with its neighbours; every other one comes in the opposite order.
    batches = [
        [ByExternalReference(f"customer-{n}") for n in range(10 * start, 10 * start + 50)]
        for start in range(CROWD)
    ]
    for batch in batches[::2]:
        batch.reverse()
    await gate.hold("LOCK TABLE member IN SHARE MODE")
    with structlog.testing.capture_logs() as logs:
        crowd = asyncio.gather(*(register_external_members(batch, now=NOW) for batch in batches))
        await gate.open(waiting=CROWD)
        answers = await crowd
    # Nor did any have to run again, which would run a whole import's transaction again.
    assert [log for log in logs if log["event"] == "stamina.retry_scheduled"] == []

    everyone: dict[str, UUID] = {}
    for registered in answers:
        for reference, member_id in registered.items():
            assert everyone.setdefault(reference, member_id) == member_id
    assert len(everyone) == len(set(everyone.values())) == 240
    # Nobody was left over from the batches that came second.
    assert await count("member") == await count("member_identity") == 240
    assert len(await announced()) == 240
    refs = [ByExternalReference(reference) for reference in everyone]
    assert await resolve_members(refs) == list(everyone.values())


COMPETITOR = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.mark.usefixtures("postgres")
async def test_imports_that_meet_half_way_do_not_wait_in_a_circle(gate: Gate) -> None:
    # Somebody else is about to register the one in the middle.
    await gate.hold(
        f"""
        INSERT INTO member (id, nickname, joined_at, version)
        VALUES ('{COMPETITOR}', '', '{NOW}', 1);
        INSERT INTO member_identity (member_id, id, kind, app_id, subject, bound_at)
        VALUES ('{COMPETITOR}', '{COMPETITOR}', 'external', '', 'customer-20', '{NOW}')
        """
    )
    batch = [ByExternalReference(f"customer-{number}") for number in range(10, 31)]
    with structlog.testing.capture_logs() as logs:
        crowd = asyncio.gather(
            register_external_members(batch, now=NOW),
            register_external_members(batch[::-1], now=NOW),
        )
        await gate.open(waiting=2)
        here, there = await crowd
    assert [log for log in logs if log["event"] == "stamina.retry_scheduled"] == []
    assert here == there
    assert here["customer-20"] == COMPETITOR
    assert len(set(here.values())) == await count("member") == 21


async def test_every_racing_change_of_a_profile_counts(member_id: UUID, gate: Gate) -> None:
    await gate.hold("SELECT 1 FROM member FOR UPDATE")
    changes = (
        UpdateProfile(member_id=member_id, nickname=f"name {number}") for number in range(CROWD)
    )
    crowd = asyncio.gather(*(update_profile(change, now=NOW) for change in changes))
    await gate.open(waiting=CROWD)
    after = sorted(await crowd, key=lambda member: member.version)
    assert [member.version for member in after] == list(range(2, CROWD + 2))
    assert sorted(member.nickname for member in after) == sorted(
        f"name {number}" for number in range(CROWD)
    )
    assert (await members_by_ids([member_id]))[member_id] == after[-1]


async def test_racing_declarations_never_mix(member_id: UUID, gate: Gate) -> None:
    await gate.hold("SELECT 1 FROM member FOR UPDATE")
    wishes = [["shared", f"a{number}", f"b{number}"] for number in range(CROWD)]
    crowd = asyncio.gather(
        *(replace_declared_interests(member_id, wish, now=NOW) for wish in wishes)
    )
    await gate.open(waiting=CROWD)
    given = [sorted(interest.theme_code for interest in answer) for answer in await crowd]
    assert given == [sorted(wish) for wish in wishes]
    kept = sorted(interest.theme_code for interest in await interests(member_id))
    assert kept in given
    assert (await members_by_ids([member_id]))[member_id].version == CROWD + 1
