"""Rewards are applied once, refused for what is documented, and taken back wholly."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature

from domain import games
from domain.access import KeyRing
from domain.errors import IdempotencyConflict, InvalidInput
from domain.games import PushRewards, RewardItemKind, push_rewards, signed_words
from domain.games.receipts import batch_told
from domain.ledger import Redeem, Source, post
from domain.members import ByExternalReference, ById, ByPairwiseReference
from domain.storage import observed_statements
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import NOW, Arcade, open_arcade, open_campaign, open_partner, told
from tests.graphql.kept import everything_kept

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


async def test_each_item_has_its_receipt_and_its_points(arcade: Arcade) -> None:
    by_ref = arcade.item("c", member=ByPairwiseReference(arcade.refs["bob"]), points=7)
    by_crm = arcade.item("d", member=ByExternalReference("bob"), points=1)
    batch = await arcade.push("b1", arcade.item("a"), arcade.item("b", "bob", 5), by_ref, by_crm)

    assert told(batch) == [APPLIED] * 4
    assert [one.external_id for one in batch.receipts] == ["a", "b", "c", "d"]
    assert len({one.entry_id for one in batch.receipts}) == 4
    counts = batch.counts
    assert (counts.applied, counts.duplicate, counts.rejected, counts.pending) == (4, 0, 0, 0)
    assert (await arcade.available("alice"), await arcade.available("bob")) == (10, 13)
    assert await arcade.spent() == 23
    await arcade.verify()


async def test_the_signature_of_a_batch_covers_its_receipts(arcade: Arcade) -> None:
    batch = await arcade.push("b1", arcade.item("a"), arcade.item("b", points=0))
    key = arcade.keys.verifying_key(batch.key_id, now=NOW)
    assert key is not None
    signed = signed_words(batch_told("arcade", "b1", batch.receipts))
    key.verify(base64.b64decode(batch.signature), signed)
    other = signed_words(batch_told("arcade", "b1", batch.receipts[:1]))
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(batch.signature), other)


async def test_a_batch_sent_again_is_answered_the_same_and_changes_nothing(arcade: Arcade) -> None:
    items = [arcade.item("a"), arcade.item("b", points=-1), arcade.back("r", "later")]
    first = await arcade.push("b1", *items)
    before = await everything_kept()
    again = await arcade.push("b1", *items, now=NOW + timedelta(days=400))
    assert again == replace(first, replayed=True)
    with pytest.raises(IdempotencyConflict) as refused:
        await arcade.push("b1", *items[:2])
    assert refused.value.field == ("batch_id",)
    assert await everything_kept() == before


async def test_an_item_in_another_batch_is_a_duplicate_of_the_first(arcade: Arcade) -> None:
    [first] = (await arcade.push("b1", arcade.item("a"))).receipts
    batch = await arcade.push("b2", arcade.item("a"), arcade.item("b"), arcade.item("b"))
    assert told(batch) == [DUPLICATE, APPLIED, DUPLICATE]
    assert batch.receipts[0].entry_id == first.entry_id
    assert batch.receipts[2].entry_id == batch.receipts[1].entry_id
    assert await arcade.available("alice") == 20
    # However late it comes.
    late = await arcade.push("b3", arcade.item("a"), now=NOW + timedelta(days=90))
    assert told(late) == [DUPLICATE]


async def test_each_field_altered_under_the_same_id_is_a_conflict(arcade: Arcade) -> None:
    given = arcade.item("a", business_reference="spin-1")
    await arcade.push("b1", given)
    other = await open_campaign("arcade", "cards")
    altered: list[dict[str, Any]] = [
        {"member": ById(arcade.people["bob"])},
        {"member": ByExternalReference("alice")},
        {"campaign": str(other.id), "campaign_id": other.id},
        {"points": 11},
        {"occurred_at": given.occurred_at + timedelta(microseconds=1)},
        {"kind": RewardItemKind.REVERSAL},
        {"reverses": "b"},
        {"business_reference": None},
        {"business_reference": "spin-2"},
        {"prize_code": "tea"},
        {"disclosure_version": "1"},
    ]
    for place, change in enumerate(altered):
        batch = await arcade.push(f"altered-{place}", replace(given, **change))
        assert told(batch) == [rejected("IDEMPOTENCY_CONFLICT")], change
        assert batch.receipts[0].entry_id is None
    assert (await arcade.available("alice"), await arcade.spent()) == (10, 10)
    standing = await games.standing_receipts(
        arcade.partner.account_id, ["a"], partner="arcade", keys=arcade.keys
    )
    assert [one.status for one in standing] == ["APPLIED"]


async def test_what_is_wrong_with_an_item_has_its_code(arcade: Arcade) -> None:
    closed = await open_campaign("arcade", "over", closes_at=NOW - timedelta(days=20))
    others = await open_partner("others")
    foreign = await open_campaign("others")
    drawn = await open_campaign("arcade", "untold", draws_prizes=True)
    theirs = await games.bind_member(others.account_id, arcade.people["alice"], now=NOW)
    await games.unbind_member(arcade.partner.account_id, arcade.people["bob"], now=NOW)
    strange = (await open_arcade(arcade.keys, "carol", code="elsewhere")).people["carol"]
    nowhere = UUID(int=5)
    cases = {
        "MEMBER_NOT_FOUND": [
            arcade.item("m1", "nobody"),
            arcade.item("m2", member=ByPairwiseReference(theirs)),
            arcade.item("m3", member=ByExternalReference("nobody")),
            # Who is not this partner's is not told from nobody, but by a random id.
            arcade.item("m4", member=ByExternalReference("carol")),
        ],
        "NOT_BOUND": [
            arcade.item("n1", "bob"),
            arcade.item("n2", member=ByPairwiseReference(arcade.refs["bob"])),
            arcade.item("n3", member=ById(strange)),
        ],
        "CAMPAIGN_CLOSED": [
            arcade.item("c1", campaign=str(closed.id), campaign_id=closed.id),
            arcade.item("c2", campaign=str(foreign.id), campaign_id=foreign.id),
            arcade.item("c3", campaign=str(nowhere), campaign_id=nowhere),
            arcade.item("c4", campaign="garbage", campaign_id=None),
            arcade.item("c5", campaign=str(drawn.id), campaign_id=drawn.id),
        ],
        "AMOUNT_INVALID": [arcade.item("a1", points=0), arcade.item("a2", points=-1)],
        "TOO_OLD": [arcade.item("o1", occurred_at=NOW - timedelta(days=40))],
        "FUTURE_DATED": [arcade.item("f1", occurred_at=NOW + timedelta(days=1))],
        "INVALID_INPUT": [
            arcade.item(""),
            arcade.item("x" * 129),
            arcade.item("nul\0"),
            arcade.item("i1", kind=RewardItemKind.REVERSAL),
            arcade.item("i2", reverses="a"),
            arcade.item("i3", business_reference=""),
        ],
        "DISCLOSURE_UNKNOWN": [arcade.item("d1", prize_code="tea", disclosure_version="1")],
    }
    items = [item for case in cases.values() for item in case]
    batch = await arcade.push("b1", *items)
    assert told(batch) == [rejected(code) for code, case in cases.items() for _ in case]
    assert (await arcade.available("alice"), await arcade.spent()) == (0, 0)


async def test_the_edges_of_what_is_too_old_or_ahead_are_good(arcade: Arcade) -> None:
    old = arcade.item("a", occurred_at=NOW - timedelta(days=30))
    ahead = arcade.item("b", occurred_at=NOW + timedelta(minutes=5))
    assert told(await arcade.push("b1", old, ahead)) == [APPLIED, APPLIED]
    # A clock ahead of ours makes nobody wait for points that are given at once.
    assert await arcade.available("alice") == 20
    older = arcade.item("c", occurred_at=old.occurred_at - timedelta(microseconds=1))
    farther = arcade.item("d", occurred_at=ahead.occurred_at + timedelta(microseconds=1))
    batch = await arcade.push("b2", older, farther)
    assert told(batch) == [rejected("TOO_OLD"), rejected("FUTURE_DATED")]
    await arcade.verify()


async def test_a_batch_has_1_to_500_items(arcade: Arcade) -> None:
    for items in ([], [arcade.item(str(n)) for n in range(501)]):
        with pytest.raises(InvalidInput) as refused:
            await arcade.push("b1", *items)
        assert (refused.value.field, refused.value.rule) == (("items",), "1 to 500 items")


async def test_what_may_pass_is_not_remembered_and_the_rest_is(arcade: Arcade) -> None:
    await games.unbind_member(arcade.partner.account_id, arcade.people["bob"], now=NOW)
    early = arcade.item("a", "bob")
    wrong = arcade.item("b", points=0)
    assert told(await arcade.push("b1", early, wrong)) == [
        rejected("NOT_BOUND"),
        rejected("AMOUNT_INVALID"),
    ]
    await games.bind_member(arcade.partner.account_id, arcade.people["bob"], now=NOW)
    # Also with other content: nothing was taken in under this id.
    batch = await arcade.push("b2", replace(early, points=3), wrong, replace(wrong, points=4))
    assert told(batch) == [
        APPLIED,
        ("DUPLICATE", "REJECTED", "AMOUNT_INVALID"),
        rejected("IDEMPOTENCY_CONFLICT"),
    ]
    assert (await arcade.available("bob"), await arcade.available("alice")) == (3, 0)


async def test_a_budget_is_never_overdrawn_and_comes_back(ring: KeyRing) -> None:
    arcade = await open_arcade(ring, budget=25)
    batch = await arcade.push(
        "b1", *(arcade.item(name) for name in "abc"), arcade.item("d", points=5)
    )
    assert told(batch) == [APPLIED, APPLIED, rejected("BUDGET_EXHAUSTED"), APPLIED]
    assert await arcade.spent() == 25
    await arcade.push("b2", arcade.back("r", "a"))
    assert (await arcade.spent(), await arcade.available("alice")) == (15, 15)
    assert told(await arcade.push("b3", arcade.item("c"))) == [APPLIED]
    await arcade.verify()


@pytest.mark.parametrize(
    ("caps", "terms", "bob"),
    [
        ({"points_per_day": 25}, {}, "CAP_REACHED"),
        ({"points_per_member_day": 25}, {}, None),
        ({}, {"points_per_member_day": 25}, None),
    ],
)
async def test_the_caps_of_a_day_hold_until_the_next_one(
    ring: KeyRing, caps: dict[str, int], terms: dict[str, Any], bob: str | None
) -> None:
    arcade = await open_arcade(ring, caps=caps, **terms)
    batch = await arcade.push("b1", arcade.item("a"), arcade.item("b"), arcade.item("c"))
    assert told(batch) == [APPLIED, APPLIED, rejected("CAP_REACHED")]
    batch = await arcade.push("b2", arcade.item("c"), arcade.item("d", "bob"))
    assert told(batch) == [rejected("CAP_REACHED"), rejected(bob) if bob else APPLIED]
    # Midnight in Shanghai is four hours on.
    batch = await arcade.push("b3", arcade.item("c"), now=NOW + timedelta(hours=4))
    assert told(batch) == [APPLIED]
    assert await arcade.available("alice") == 30


async def test_a_reversal_takes_the_whole_grant_back_once(arcade: Arcade) -> None:
    await arcade.push("b1", arcade.item("a"), arcade.item("b"))
    batch = await arcade.push(
        "b2",
        arcade.back("r1", "a", points=9),
        arcade.back("r2", "a", who="bob"),
        arcade.back("r3", "a"),
        arcade.back("r4", "a"),
        arcade.back("r5", "r3"),
    )
    assert told(batch) == [
        rejected("AMOUNT_INVALID"),
        rejected("MEMBER_NOT_FOUND"),
        APPLIED,
        rejected("REVERSED_BEFORE"),
        rejected("ENTRY_NOT_REVERSIBLE"),
    ]
    assert (await arcade.available("alice"), await arcade.spent()) == (10, 10)
    await arcade.verify()


async def test_points_that_were_spent_are_owed_and_who_left_is_reversed_too(
    arcade: Arcade,
) -> None:
    await arcade.push("b1", arcade.item("a"))
    alice = arcade.people["alice"]
    spend = Redeem(member_id=alice, points=8, source=Source(kind="test", reference="1"))
    await post([spend], now=NOW)
    await games.unbind_member(arcade.partner.account_id, alice, now=NOW)
    assert told(await arcade.push("b2", arcade.back("r", "a"))) == [APPLIED]
    assert await arcade.net("alice") == -8
    await arcade.verify()


async def test_a_reversal_waits_for_its_grant(arcade: Arcade) -> None:
    partner_id = arcade.partner.account_id
    first = await arcade.push("b1", arcade.back("r", "g"))
    assert told(first) == [PENDING]
    assert told(await arcade.push("b2", arcade.back("r", "g"))) == [("DUPLICATE", "PENDING", None)]
    assert told(await arcade.push("b3", arcade.item("g"))) == [APPLIED]
    assert (await arcade.net("alice"), await arcade.spent()) == (0, 0)
    assert told(await arcade.push("b1", arcade.back("r", "g"))) == [PENDING]
    standing = await games.standing_receipts(
        partner_id, ["r", "g", "r", "nothing"], partner="arcade", keys=arcade.keys
    )
    assert [(one.external_id, one.status) for one in standing] == [
        ("r", "APPLIED"),
        ("g", "APPLIED"),
    ]
    # In one batch as well, in whichever order.
    batch = await arcade.push(
        "b4", arcade.back("r2", "g2"), arcade.item("g2"), arcade.item("g3"), arcade.back("r3", "g3")
    )
    assert told(batch) == [PENDING, APPLIED, APPLIED, APPLIED]
    wrong = await arcade.push("b5", arcade.back("r4", "g4", points=3), arcade.item("g4"))
    assert told(wrong) == [PENDING, APPLIED]
    [standing_r4] = await games.standing_receipts(
        partner_id, ["r4"], partner="arcade", keys=arcade.keys
    )
    assert (standing_r4.status, standing_r4.code) == ("REJECTED", "AMOUNT_INVALID")
    assert (await arcade.net("alice"), await arcade.spent()) == (10, 10)
    await arcade.verify()


async def test_a_business_event_is_granted_once_under_whatever_id(arcade: Arcade) -> None:
    [first] = (await arcade.push("b1", arcade.item("a", business_reference="spin-1"))).receipts
    batch = await arcade.push(
        "b2",
        arcade.item("b", business_reference="spin-1"),
        arcade.item("c", business_reference="spin-1", points=11),
        arcade.item("d", business_reference="spin-2"),
        arcade.item("e", business_reference="spin-2"),
    )
    assert told(batch) == [DUPLICATE, rejected("IDEMPOTENCY_CONFLICT"), APPLIED, DUPLICATE]
    assert batch.receipts[0].entry_id == first.entry_id
    assert told(await arcade.push("b3", arcade.item("b", business_reference="spin-1"))) == [
        DUPLICATE
    ]
    assert await arcade.available("alice") == 20


async def test_another_partner_has_ids_of_its_own(arcade: Arcade) -> None:
    await arcade.push("b1", arcade.item("a"))
    other = await open_arcade(arcade.keys, code="other")
    assert told(await other.push("b1", other.item("a"))) == [APPLIED]
    assert await games.reward_batch(other.partner.account_id, "b2") is None
    summary = await games.reward_batch(other.partner.account_id, "b1")
    assert summary is not None
    assert summary.counts.applied == 1
    assert await arcade.available("alice") == 20
    assert arcade.refs["alice"] != other.refs["alice"]


async def test_the_number_of_statements_does_not_depend_on_the_batch(arcade: Arcade) -> None:
    await arcade.push("first", arcade.item("a"), arcade.item("b", "bob"))
    numbers = []
    for size in (2, 20):
        items = [arcade.item(f"{size}-{n}", "alice" if n % 2 else "bob") for n in range(size)]
        backs = [arcade.back(f"r-{size}-{n}", f"{size}-{n}", who="bob") for n in range(0, size, 2)]
        command = PushRewards(partner=arcade.partner, batch_id=f"b{size}", items=items + backs)
        with observed_statements() as statements:
            await push_rewards(command, keys=arcade.keys, now=NOW)
        numbers.append(len(statements))
    assert numbers[0] == numbers[1], numbers
    await arcade.verify()
