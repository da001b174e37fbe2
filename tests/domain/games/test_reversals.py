"""What reversals come to that name what was refused, repeated, or is no grant at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import games
from domain.access import KeyRing
from domain.custody import MergeBecause, merge
from domain.games import push_decisions, settling
from domain.ledger import POINTS_MAX, Earn, Source, post
from domain.storage import transaction
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import NOW, Arcade, open_arcade, told

pytestmark = pytest.mark.usefixtures("database")
key_path = access.key_path
ring = access.ring

APPLIED = ("APPLIED", None, None)
DUPLICATE = ("DUPLICATE", "APPLIED", None)
PENDING = ("PENDING", None, None)


def rejected(code: str) -> tuple[str, None, str]:
    return ("REJECTED", None, code)


@pytest.fixture
async def arcade(ring: KeyRing, database: str) -> Arcade:
    return await open_arcade(ring)


async def standing(arcade: Arcade, *external_ids: str) -> list[tuple[str, str | None]]:
    """How the items stand, and why."""
    found = await games.standing_receipts(
        arcade.partner.account_id, external_ids, partner="arcade", keys=arcade.keys
    )
    assert [one.external_id for one in found] == [*external_ids]
    return [(one.status, one.code) for one in found]


async def fill(arcade: Arcade, who: str) -> None:
    """The member has so many points that there is room for 5 more."""
    earn = Earn(
        member_id=arcade.people[who],
        points=POINTS_MAX - 5,
        source=Source(kind="test", reference="plenty"),
        effective_at=NOW,
        matures_at=NOW,
        expires_at=NOW + timedelta(days=900),
    )
    await post([earn], now=NOW)


async def test_nothing_waits_for_what_was_refused_for_good(arcade: Arcade) -> None:
    never = rejected("ENTRY_NOT_REVERSIBLE")
    # Before it, after it, and in one batch with it.
    assert told(await arcade.push("b1", arcade.back("r1", "g1"))) == [PENDING]
    batch = await arcade.push("b2", arcade.item("g1", points=0), arcade.back("r2", "g1"))
    assert told(batch) == [rejected("AMOUNT_INVALID"), never]
    assert told(await arcade.push("b3", arcade.back("r3", "g1"))) == [never]
    batch = await arcade.push("b4", arcade.back("r4", "g4"), arcade.item("g4", points=0))
    assert told(batch) == [PENDING, rejected("AMOUNT_INVALID")]
    assert await standing(arcade, "r1", "r4") == [("REJECTED", "ENTRY_NOT_REVERSIBLE")] * 2
    assert told(await arcade.push("b5", arcade.back("r1", "g1"))) == [
        ("DUPLICATE", "PENDING", "ENTRY_NOT_REVERSIBLE")
    ]


async def test_what_may_still_come_is_waited_for(arcade: Arcade) -> None:
    await games.unbind_member(arcade.partner.account_id, arcade.people["bob"], now=NOW)
    grant, back = arcade.item("g", "bob"), arcade.back("r", "g", who="bob")
    assert told(await arcade.push("b1", grant, back)) == [rejected("NOT_BOUND"), PENDING]
    await games.bind_member(arcade.partner.account_id, arcade.people["bob"], now=NOW)
    assert told(await arcade.push("b2", grant)) == [APPLIED]
    assert await standing(arcade, "g", "r") == [("APPLIED", None)] * 2
    assert (await arcade.net("bob"), await arcade.spent()) == (0, 0)


async def test_nothing_waits_for_a_reversal(arcade: Arcade) -> None:
    batch = await arcade.push("b1", arcade.back("a", "b"), arcade.back("b", "a"))
    assert told(batch) == [PENDING, rejected("ENTRY_NOT_REVERSIBLE")]
    assert await standing(arcade, "a") == [("REJECTED", "ENTRY_NOT_REVERSIBLE")]
    assert told(await arcade.push("b2", arcade.back("d", "e"), arcade.back("e", "f"))) == [
        *(PENDING, PENDING)
    ]
    assert await standing(arcade, "d", "e") == [
        ("REJECTED", "ENTRY_NOT_REVERSIBLE"),
        ("PENDING", None),
    ]


async def test_an_event_is_taken_back_by_any_of_its_ids_once(arcade: Arcade) -> None:
    spin: dict[str, Any] = {"business_reference": "spin-1"}
    batch = await arcade.push("b1", arcade.item("a", **spin), arcade.item("b", **spin))
    assert told(batch) == [APPLIED, DUPLICATE]
    batch = await arcade.push("b2", arcade.back("r", "b"), arcade.back("s", "a"))
    assert told(batch) == [APPLIED, rejected("REVERSED_BEFORE")]
    assert (await arcade.net("alice"), await arcade.spent()) == (0, 0)
    # And where it is taken back before the first, or between the two; and all at once.
    spin = {"business_reference": "spin-2"}
    assert told(await arcade.push("b3", arcade.back("r2", "d"))) == [PENDING]
    assert told(await arcade.push("b4", arcade.item("c", **spin))) == [APPLIED]
    assert told(await arcade.push("b5", arcade.item("d", **spin), arcade.back("s2", "c"))) == [
        DUPLICATE,
        rejected("REVERSED_BEFORE"),
    ]
    assert await standing(arcade, "r2") == [("APPLIED", None)]
    spin = {"business_reference": "spin-3"}
    batch = await arcade.push(
        "b6", arcade.back("r3", "f"), arcade.item("e", **spin), arcade.item("f", **spin)
    )
    assert told(batch) == [PENDING, APPLIED, DUPLICATE]
    assert (await arcade.net("alice"), await arcade.spent()) == (0, 0)
    await arcade.verify()


async def test_what_a_person_won_before_is_taken_back_by_the_repeated_id(arcade: Arcade) -> None:
    spin: dict[str, Any] = {"business_reference": "spin-1"}
    await arcade.push("b1", arcade.item("a", **spin), arcade.item("b", **spin))
    alice, bob = arcade.people["alice"], arcade.people["bob"]
    await transaction(lambda: merge(bob, alice, because=MergeBecause.STAFF, by="s:x", now=NOW))
    assert told(await arcade.push("b2", arcade.back("r", "b", who="bob"))) == [APPLIED]
    assert (await arcade.net("bob"), await arcade.spent()) == (0, 0)
    del arcade.people["alice"]
    await arcade.verify()


async def test_a_refused_grant_takes_its_repetitions_along_and_nothing_else(
    arcade: Arcade,
) -> None:
    await fill(arcade, "alice")
    spin: dict[str, Any] = {"business_reference": "spin-1"}
    full = rejected("POINTS_OUT_OF_RANGE")
    batch = await arcade.push(
        "b1",
        *(arcade.item("a", **spin), arcade.item("b", **spin), arcade.item("c", **spin)),
        *(arcade.back("r", "b"), arcade.item("z", "bob")),
    )
    assert told(batch) == [full, full, full, PENDING, APPLIED]
    assert [one.entry_id is None for one in batch.receipts] == [True, True, True, True, False]
    assert (await arcade.spent(), await arcade.net("bob")) == (10, 10)
    # Each of them may come again, and is the one that counts.
    small = arcade.item("b", points=4, **spin)
    batch = await arcade.push("b2", small, arcade.item("a", points=4, **spin))
    assert told(batch) == [APPLIED, DUPLICATE]
    assert await arcade.spent() == 14
    await arcade.verify()


async def test_what_came_at_one_moment_is_resolved_when_either_comes_again(
    arcade: Arcade, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who were named apart became one person before anybody looked: it is meant after all."""
    alice, bob = arcade.people["alice"], arcade.people["bob"]
    # As where neither batch saw the other, and both were killed before they looked again.
    with monkeypatch.context() as unseen:
        unseen.setattr(push_decisions.Deciding, "_resolve_waiting", lambda self, grant: None)
        unseen.setattr(settling, "_unsettled", _nothing)
        for place in ("1", "2"):
            grant = arcade.item(f"g{place}", "alice")
            await arcade.push(f"b{place}", arcade.back(f"r{place}", f"g{place}", who="bob"))
            assert told(await arcade.push(f"c{place}", grant)) == [APPLIED]
    await transaction(lambda: merge(bob, alice, because=MergeBecause.STAFF, by="s:x", now=NOW))
    assert await standing(arcade, "r1", "r2") == [("PENDING", None)] * 2
    assert told(await arcade.push("b3", arcade.item("g1", "alice"))) == [DUPLICATE]
    again = await arcade.push("b4", arcade.back("r2", "g2", who="bob"))
    assert told(again) == [("DUPLICATE", "PENDING", None)]
    assert await standing(arcade, "r1", "r2") == [("APPLIED", None)] * 2
    assert (await arcade.net("bob"), await arcade.spent()) == (0, 0)


async def _nothing(*_: object) -> list[object]:
    return []
