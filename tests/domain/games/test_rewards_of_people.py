"""What was won follows its member into another record; and a planted bug is found."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from domain import games, ledger
from domain.access import KeyRing
from domain.custody import Merge, MergeBecause, merge, part
from domain.files import FileStore
from domain.games import push_decisions
from domain.members import ByPairwiseReference
from domain.paging import PageRequest
from domain.storage import fetch_all, transaction
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import NOW, open_arcade, told

pytestmark = pytest.mark.usefixtures("database")
key_path = access.key_path
ring = access.ring


async def test_what_was_won_goes_over_to_the_record_that_the_person_has(ring: KeyRing) -> None:
    arcade = await open_arcade(ring, "alice", "bob")
    await arcade.push("b1", arcade.item("a", "alice", 7), arcade.item("b", "bob", 5))
    alice, bob = arcade.people["alice"], arcade.people["bob"]
    joined = await transaction(
        lambda: merge(bob, alice, because=MergeBecause.STAFF, by="staff:clerk", now=NOW)
    )
    assert joined is not None
    page = await games.game_rewards(bob, PageRequest(first=9))
    assert sorted(one.points for one in page.items) == [5, 7]
    # Either name leads to the one record, and what either won can be taken back.
    by_either = [
        arcade.item(f"n-{who}", member=ByPairwiseReference(arcade.refs[who])) for who in arcade.refs
    ]
    batch = await arcade.push("b2", *by_either, arcade.back("r", "a", points=7, who="bob"))
    assert {status for status, _, _ in told(batch)} == {"APPLIED"}
    assert (await ledger.balance(bob, now=NOW)).available == 25
    assert await ledger.verify_account(bob) == []
    assert await arcade.spent() == 25
    # Sent again, whoever has the record now.
    again = await arcade.push("b3", arcade.item("a", "alice", 7))
    assert told(again) == [("DUPLICATE", "APPLIED", None)]


async def join(keeper_id: UUID, loser_id: UUID) -> Merge:
    """Join the two records."""
    joined = await transaction(
        lambda: merge(keeper_id, loser_id, because=MergeBecause.STAFF, by="staff:clerk", now=NOW)
    )
    assert joined is not None
    return joined


async def test_a_chain_of_joined_records_is_parted_again(ring: KeyRing, tmp_path: Path) -> None:
    arcade = await open_arcade(ring, "alice", "bob", "dave")
    people, partner_id = arcade.people, arcade.partner.account_id
    await arcade.push("b1", *(arcade.item(who, who) for who in people))
    await join(people["bob"], people["alice"])
    last = await join(people["dave"], people["bob"])
    files = FileStore(tmp_path)
    await transaction(lambda: part(last, by="staff:clerk", files=files, now=NOW))
    rows = await fetch_all("SELECT member_ref, member_id, came_with FROM game_binding")
    owners = {row["member_ref"]: (row["member_id"], row["came_with"]) for row in rows}
    assert owners == {
        arcade.refs["alice"]: (people["bob"], None),
        arcade.refs["bob"]: (people["bob"], None),
        arcade.refs["dave"]: (people["dave"], None),
    }
    # Bob is still known by either name, leaves by one act, and is bound again under one of them.
    by_either = [
        arcade.item(f"n-{who}", member=ByPairwiseReference(arcade.refs[who]))
        for who in ("alice", "bob")
    ]
    batch = await arcade.push("b2", *by_either, arcade.back("r", "alice", who="bob"))
    assert {status for status, _, _ in told(batch)} == {"APPLIED"}
    assert [await arcade.net(who) for who in ("bob", "dave")] == [30, 10]
    await games.unbind_member(partner_id, people["bob"], now=NOW)
    assert await games.bindings_of(people["bob"]) == []
    again = await games.bind_member(partner_id, people["bob"], now=NOW)
    assert again in {arcade.refs["alice"], arcade.refs["bob"]}


async def test_what_is_decided_anew_is_of_the_record_that_it_was_decided_for(
    ring: KeyRing, tmp_path: Path
) -> None:
    arcade = await open_arcade(ring, "alice", "bob", caps={"points_per_member_day": 10})
    alice, bob = arcade.people["alice"], arcade.people["bob"]
    spent, refused = arcade.item("a", "alice"), arcade.item("b", "alice")
    assert [code for _, _, code in told(await arcade.push("b1", spent, refused))] == [
        *(None, "CAP_REACHED")
    ]
    joined = await join(bob, alice)
    tomorrow = NOW + timedelta(hours=5)
    assert told(await arcade.push("b2", refused, now=tomorrow)) == [("APPLIED", None, None)]
    files = FileStore(tmp_path)
    await transaction(lambda: part(joined, by="staff:clerk", files=files, now=tomorrow))
    rows = await fetch_all("SELECT external_id, member_id, paid_to FROM reward_item")
    assert {row["external_id"]: (row["member_id"], row["paid_to"]) for row in rows} == {
        "a": (alice, alice),
        "b": (bob, bob),
    }
    batch = await arcade.push("b3", arcade.back("r", "b", who="bob"), now=tomorrow)
    assert told(batch) == [("APPLIED", None, None)]
    assert [await arcade.net(who) for who in ("alice", "bob")] == [10, 0]


async def test_a_reversal_that_is_never_resolved_would_be_found(
    ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: grants do not look for what waits for them."""
    arcade = await open_arcade(ring, "alice")
    await arcade.push("b1", arcade.back("r", "g"))
    monkeypatch.setattr(push_decisions.Deciding, "_resolve_waiting", lambda self, grant: None)
    await arcade.push("b2", arcade.item("g"))
    assert (await arcade.net("alice"), await arcade.spent()) == (10, 10), "and not 0"
