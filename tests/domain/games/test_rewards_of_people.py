"""What was won follows its member into another record; and a planted bug is found."""

from __future__ import annotations

import pytest

from domain import games, ledger
from domain.access import KeyRing
from domain.custody import MergeBecause, merge
from domain.games import push_decisions
from domain.members import ByPairwiseReference
from domain.paging import PageRequest
from domain.storage import transaction
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


async def test_a_reversal_that_is_never_resolved_would_be_found(
    ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: grants do not look for what waits for them."""
    arcade = await open_arcade(ring, "alice")
    await arcade.push("b1", arcade.back("r", "g"))
    monkeypatch.setattr(push_decisions.Deciding, "_resolve_waiting", lambda self, grant: None)
    await arcade.push("b2", arcade.item("g"))
    assert (await arcade.net("alice"), await arcade.spent()) == (10, 10), "and not 0"
