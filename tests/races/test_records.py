"""Racing changes of what is kept of one member: consents, what is watched, the timeline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from api.workers.timelines import TELLING
from domain import custody, members, recommendations, storage
from domain.members import (
    ByExternalReference,
    Consent,
    ConsentText,
    SetConsent,
    register_external_members,
)
from domain.outbox import Event, announce, drain, stream
from domain.paging import PageRequest
from domain.recommendations import BehaviorEvent
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import count
from tests.graphql.programme import set_up_programme
from tests.races.contention import Gate

CROWD = 20
TRACKING = recommendations.BEHAVIOR_TRACKING
MEMBER = "SELECT id FROM member WHERE id = $1 FOR NO KEY UPDATE"


@pytest.fixture
async def member_id(postgres: str) -> UUID:
    text = ConsentText(
        purpose=TRACKING, version="1", title_zh="记录", title_en="Kept", body_zh="。", body_en="."
    )
    await members.publish_consent_texts([text], now=NOW)
    return (await register_external_members([ByExternalReference("alice")], now=NOW))["alice"]


def seen(number: int) -> list[BehaviorEvent]:
    return [BehaviorEvent(event_id=f"e-{number}", kind="view", product_id=None, theme=None, at=NOW)]


def saying(member_id: UUID, *, granted: bool) -> SetConsent:
    return SetConsent(member_id=member_id, purpose=TRACKING, granted=granted, version="1")


async def test_racing_consents_are_one_change_of_mind(member_id: UUID, gate: Gate) -> None:
    await gate.hold(MEMBER, member_id)
    said = saying(member_id, granted=True)
    crowd = asyncio.gather(*(recommendations.set_consent(said, now=NOW) for _ in range(CROWD)))
    await gate.open(waiting=CROWD)
    assert len(set(await crowd)) == 1
    assert await count("member_consent") == 1
    assert [kind for kind, _ in await kinds_of(member_id)].count("ConsentChanged") == 1


async def kinds_of(member_id: UUID) -> list[tuple[str, Any]]:
    return [(one.kind, one.facts) for one in await stream(member_id, after=0, limit=1_000)]


async def test_a_withdrawal_leaves_nothing_of_what_is_told_beside_it(
    member_id: UUID, gate: Gate, tally: Callable[[str, int, int], None]
) -> None:
    await recommendations.set_consent(saying(member_id, granted=True), now=NOW)
    await gate.hold(MEMBER, member_id)
    telling = [
        recommendations.track_behavior(member_id, seen(number), now=NOW) for number in range(CROWD)
    ]
    withdrawing = recommendations.set_consent(saying(member_id, granted=False), now=NOW)
    crowd = asyncio.gather(*telling[:10], withdrawing, *telling[10:])
    await gate.open(waiting=CROWD + 1)
    answers = await crowd
    said = answers[10]
    assert isinstance(said, Consent)
    assert not said.granted
    assert await count("behavior_event") == 0
    tally("behaviour told beside a withdrawal, 0 kept", CROWD, CROWD)


async def test_a_reading_of_the_consent_without_its_lock_would_be_found(
    member_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: the consent is read beside the withdrawal, and written upon after it."""
    await recommendations.set_consent(saying(member_id, granted=True), now=NOW)
    read, withdrawn = asyncio.Event(), asyncio.Event()
    consented = members.has_consented

    async def look_without_lock(member_id: UUID) -> UUID:
        return member_id

    async def consented_before(member_id: UUID, purpose: str) -> bool:
        answer = await consented(member_id, purpose)
        if read.is_set() or purpose != recommendations.BEHAVIOR_TRACKING:
            return answer
        read.set()
        await withdrawn.wait()
        return answer

    monkeypatch.setattr(members, "lock_member", look_without_lock)
    monkeypatch.setattr(members, "has_consented", consented_before)
    telling = asyncio.create_task(recommendations.track_behavior(member_id, seen(1), now=NOW))
    await read.wait()
    await recommendations.set_consent(saying(member_id, granted=False), now=NOW)
    withdrawn.set()
    assert await telling == 1
    assert await count("behavior_event") == 1, "kept of somebody who no longer agrees"


@pytest.mark.usefixtures("postgres")
async def test_what_is_told_while_two_records_are_joined_is_the_keepers(gate: Gate) -> None:
    await set_up_programme(now=NOW)
    made = await register_external_members(
        [ByExternalReference("keeper"), ByExternalReference("loser")], now=NOW
    )
    keeper, loser = made["keeper"], made["loser"]
    changes = {"from": "bronze", "to": "silver", "reason": "QUALIFIED"}
    for number in range(10):
        event = Event(kind="LevelChanged", member_id=loser, facts=changes)
        await announce([event], now=NOW + timedelta(seconds=number))
    consumer = members.timeline_consumer(TELLING)

    async def joined() -> None:
        because = custody.MergeBecause.STAFF
        assert await custody.merge(keeper, loser, because=because, by="staff:clerk", now=NOW)

    events = await stream(loser, after=0, limit=100)
    await gate.hold("SELECT id FROM member WHERE id = $1 FOR UPDATE", loser)
    crowd = asyncio.gather(
        *(consumer.handle([event]) for event in events),
        storage.transaction(joined),
    )
    await gate.open(waiting=len(events) + 1)
    await crowd
    rows = await storage.fetch_all("SELECT DISTINCT member_id FROM timeline_item")
    assert [row["member_id"] for row in rows] == [keeper]
    await drain([consumer], clock=lambda: NOW + timedelta(hours=1))
    page = await members.timeline(keeper, PageRequest(first=50))
    # Both joined; each change of the other's level is told once.
    assert sorted(item.kind for item in page.items) == ["JOINED"] * 2 + ["LEVEL_CHANGED"] * 10
