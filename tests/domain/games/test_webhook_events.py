"""What happens becomes webhooks: thin, once, to whom it concerns and to nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from domain import custody, games
from domain.access import KeyRing
from domain.files import ErasureJournal, FileStore
from domain.games import webhook_consumer
from domain.games.webhooks.events import TYPES
from domain.outbox import PROGRAMME, Announced, Event, announce, drain, positions
from domain.storage import execute, fetch_all
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import NOW, Arcade, open_arcade, people_of

pytestmark = pytest.mark.usefixtures("database")
key_path = access.key_path
ring = access.ring

URL = "https://arcade.example/hook"
A_DAY = timedelta(days=1)


@pytest.fixture
async def arcade(ring: KeyRing, database: str) -> Arcade:
    return await open_arcade(ring, caps={"webhook_url": URL})


async def written() -> list[dict[str, Any]]:
    """What is to be sent, after the outbox was drained."""
    await drain([webhook_consumer()], clock=lambda: NOW)
    rows = await fetch_all("SELECT payload, state FROM webhook_delivery ORDER BY id")
    assert {row["state"] for row in rows} <= {"PENDING"}
    return [orjson.loads(row["payload"]) for row in rows]


def message(kind: str, **data: Sequence[str]) -> dict[str, Any]:
    return {"type": kind, "timestamp": "2026-03-01T12:00:00Z", "data": data}


def in_any_order(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = [{name: sorted(ids) for name, ids in one["data"].items()} for one in messages]
    told = [one | {"data": data} for one, data in zip(messages, ids, strict=True)]
    return sorted(told, key=lambda one: str(one["type"]))


async def test_a_batch_is_told_by_what_became_of_its_items(arcade: Arcade) -> None:
    early = arcade.back("early", "later", points=5)
    await arcade.push("b1", early)
    assert await written() == []  # It waits, and nothing has happened.
    refused = arcade.item("zero", points=0)
    await arcade.push("b2", arcade.item("a"), arcade.item("b", "bob"), refused, arcade.item("a"))
    await arcade.push("b3", arcade.back("a-back", "a"), arcade.item("later", points=5))
    assert in_any_order(await written()) == [
        message("reward.applied", externalIds=["a", "b", "later"]),
        message("reward.rejected", externalIds=["zero"]),
        message("reward.reversed", externalIds=["a-back", "early"]),
    ]
    # A batch that is sent again tells nothing again.
    await arcade.push("b3", arcade.back("a-back", "a"), arcade.item("later", points=5))
    assert len(await written()) == 3


async def test_a_reversal_that_is_refused_when_its_grant_comes_is_told(arcade: Arcade) -> None:
    await arcade.push("b1", arcade.back("early", "later", points=4))
    await arcade.push("b2", arcade.item("later", points=5))
    assert in_any_order(await written()) == [
        message("reward.applied", externalIds=["later"]),
        message("reward.rejected", externalIds=["early"]),
    ]


async def test_what_a_partner_alone_is_told_makes_nobodys_answer_stale(
    arcade: Arcade, tmp_path: Path
) -> None:
    """Everybody's ETags hang on the programme's stream, whose row all partners would wait for."""
    partner, alice = arcade.partner, arcade.people["alice"]
    before = await positions([PROGRAMME, partner.account_id])
    assert before[partner.account_id] == 0
    await arcade.push("b1", arcade.item("zero", points=0))
    await games.announce_deletion([alice], now=NOW)
    assert await games.write_reconciliation(
        partner, NOW.date(), files=FileStore(tmp_path), zone=ZoneInfo("UTC"), now=NOW + 2 * A_DAY
    )
    assert await positions([PROGRAMME, partner.account_id]) == before | {partner.account_id: 3}
    assert sorted(one["type"] for one in await written()) == [
        *("member.deleted", "reconciliation.ready", "reward.rejected")
    ]


async def test_a_message_names_a_hundred_things_at_the_most(arcade: Arcade) -> None:
    await arcade.push("b1", *(arcade.item(f"{n:03}", points=1) for n in range(201)))
    found = await written()
    assert [len(one["data"]["externalIds"]) for one in found] == [100, 100, 1]
    assert sorted(id for one in found for id in one["data"]["externalIds"]) == [
        f"{n:03}" for n in range(201)
    ]


async def test_an_event_that_is_handed_over_again_is_told_once(arcade: Arcade) -> None:
    await arcade.push("b1", arcade.item("a"))
    assert len(await written()) == 1
    await execute("UPDATE outbox_stream SET delivered_seq = 0, due_at = $1", NOW)
    assert len(await written()) == 1


async def test_nobody_is_told_who_has_no_address_or_is_another_partner(
    arcade: Arcade, ring: KeyRing
) -> None:
    quiet = await open_arcade(ring, "carol", code="quiet", caps={})
    await quiet.push("b1", quiet.item("q", "carol"), quiet.item("z", "carol", points=0))
    assert await written() == []
    await arcade.push("b1", arcade.item("a"))
    rows = await fetch_all("SELECT partner_id FROM webhook_delivery")
    assert await written() == [message("reward.applied", externalIds=["a"])]
    rows = await fetch_all("SELECT partner_id FROM webhook_delivery")
    assert [row["partner_id"] for row in rows] == [arcade.partner.account_id]


async def test_partners_learn_that_a_member_is_no_more_by_their_own_names(
    arcade: Arcade, tmp_path: Any, ring: KeyRing
) -> None:
    other = await open_arcade(ring, "carol", code="other", caps={"webhook_url": URL})
    alice = arcade.people["alice"]
    theirs = await games.bind_member(other.partner.account_id, alice, now=NOW)
    await games.unbind_member(other.partner.account_id, alice, now=NOW)
    await people_of("dave")
    assert await custody.erase(
        alice,
        journal=ErasureJournal(tmp_path / "erasures"),
        files=FileStore(tmp_path / "files"),
        now=NOW,
    )
    found = await written()
    assert sorted(str(one["data"]["memberRefs"]) for one in found) == sorted(
        [str([arcade.refs["alice"]]), str([theirs])]
    )
    assert {one["type"] for one in found} == {"member.deleted"}


async def test_every_kind_of_event_comes_to_a_message(arcade: Arcade) -> None:
    partner_id = str(arcade.partner.account_id)
    for kind, (_, _, fact) in TYPES.items():
        value: Any = ["one"] if fact.endswith("s") else "one"
        facts = {"partner_id": partner_id, fact: value}
        await announce([Event(kind=kind, member_id=None, facts=facts)], now=NOW)
    assert {(one["type"], *one["data"].items()) for one in map(hashable, await written())} == {
        ("reward.applied", ("externalIds", ("one",))),
        ("reward.rejected", ("externalIds", ("one",))),
        ("reward.reversed", ("externalIds", ("one",))),
        ("member.unbound", ("memberRefs", ("one",))),
        ("member.deleted", ("memberRefs", ("one",))),
        ("reconciliation.ready", ("dates", ("one",))),
    }


def hashable(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"data": {name: tuple(ids) for name, ids in one["data"].items()}}


async def test_moments_are_told_in_utc(arcade: Arcade) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 1500, tzinfo=UTC)
    event = Announced(
        member_id=arcade.people["alice"],
        seq=10**6,
        kind="MemberUnbound",
        facts={"partner_id": str(arcade.partner.account_id), "member_ref": "gm_x"},
        announced_at=at,
    )
    await webhook_consumer().handle([event])
    assert [one["timestamp"] for one in await written()] == ["2026-03-01T12:00:00.001500Z"]
