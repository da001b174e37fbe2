"""Posting one command: what is stored, replayed, refused; on both databases."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import orjson
import pytest

from domain.errors import IdempotencyConflict, InsufficientPoints, PointsOutOfRange
from domain.ledger import (
    NEVER,
    POINTS_MAX,
    Command,
    Earn,
    EntryKind,
    Posted,
    Source,
    balance,
    post,
    post_one,
    verify_account,
)
from domain.storage import execute, fetch_all, transaction
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, key, redeem, tuples
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")


async def rows(table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await fetch_all(f"SELECT * FROM {table}")]


async def test_an_earning_is_stored_as_an_account_an_entry_its_texts_and_a_lot() -> None:
    expires = NOW + days(365)
    command = earn(350, expires=expires, reason="订单 1", known_as=key("k"))
    posted = await post_one(command, now=NOW)
    assert posted == Posted(
        member_id=ALICE, seq=1, kind=EntryKind.EARN, amount=350, balance_after=350
    )
    (account,) = await rows("points_account")
    (entry,) = await rows("points_entry")
    (text,) = await rows("points_entry_text")
    (lot,) = await rows("points_lot")
    assert account == {
        "member_id": ALICE,
        "available": 350,
        "pending": 0,
        "held": 0,
        "debt": 0,
        "version": 1,
        "lots": 1,
        "head_hash": entry["hash"],
        "next_change_at": expires,
        "recorded_at": NOW,
        "frozen_at": None,
        "merged_into": None,
    }
    for name in ("text_commitment", "content_hash", "hash"):
        assert len(entry.pop(name)) == 32
    assert entry == {
        "member_id": ALICE,
        "seq": 1,
        "kind": "EARN",
        "amount": 350,
        "available_change": 350,
        "pending_change": 0,
        "held_change": 0,
        "debt_change": 0,
        "balance_after": 350,
        "effective_at": NOW,
        "recorded_at": NOW,
        "source_kind": "purchase",
        "reverses": None,
    }
    assert len(text.pop("salt")) == 16
    assert text == {
        "member_id": ALICE,
        "seq": 1,
        "reason": "订单 1",
        "note": None,
        "reference": "order-1",
    }
    assert lot == {
        "member_id": ALICE,
        "lot_seq": 1,
        "entry_seq": 1,
        "earned": 350,
        "remaining": 350,
        "pinned": 0,
        "pending": False,
        "earned_at": NOW,
        "matures_at": NOW,
        "expires_at": expires,
        "parent_lot": None,
    }
    assert await rows("points_draw") == []


async def test_a_redemption_draws_from_lots_and_every_entry_is_announced() -> None:
    await post([earn(100), earn(50, expires=NOW + days(5))], now=NOW)
    posted = await post_one(redeem(70), now=NOW)
    assert (posted.seq, posted.amount, posted.balance_after) == (3, -70, 80)
    drawn = {(r["entry_seq"], r["lot_seq"], r["amount"]) for r in await rows("points_draw")}
    assert drawn == {(3, 2, 50), (3, 1, 20)}
    remaining = {r["lot_seq"]: r["remaining"] for r in await rows("points_lot")}
    assert remaining == {1: 80, 2: 0}
    events = await fetch_all("SELECT member_id, kind, payload FROM outbox ORDER BY member_id, seq")
    assert [(e["member_id"], e["kind"], orjson.loads(e["payload"])) for e in events] == [
        (
            ALICE,
            "PointsChanged",
            {
                "seq": seq,
                "kind": kind,
                "amount": amount,
                "available": available,
                "effective_at": NOW.isoformat(),
            },
        )
        for seq, kind, amount, available in [
            (1, "EARN", 100, 100),
            (2, "EARN", 50, 150),
            (3, "REDEEM", -70, 80),
        ]
    ]


async def test_the_same_key_and_input_give_the_first_answer_and_change_nothing() -> None:
    spending = redeem(30, known_as=key("spend"))
    await post_one(earn(100, known_as=key("earn")), now=NOW)
    first = await post_one(spending, now=NOW)
    await post_one(earn(5), now=NOW)
    before = await everything_kept()
    again = await post_one(spending, now=NOW + days(400))
    assert again == replace(first, replayed=True)
    assert await everything_kept() == before


EARNING = earn(
    100,
    at=NOW - days(1),
    matures=NOW + days(7),
    expires=NOW + days(90),
    reason="a reason",
    known_as=key("k"),
)


ALTERED: list[tuple[Command, tuple[str, ...]]] = [
    (replace(EARNING, member_id=BOB), ("member_id",)),
    (replace(EARNING, points=101), ("points",)),
    (replace(EARNING, source=Source(kind="game", reference="order-1")), ("source",)),
    (replace(EARNING, source=Source(kind="purchase", reference="order-2")), ("source",)),
    (replace(EARNING, effective_at=NOW), ("effective_at",)),
    (replace(EARNING, matures_at=None), ("matures_at",)),
    (replace(EARNING, expires_at=NEVER), ("expires_at",)),
    (replace(EARNING, reason=None), ("reason",)),
    (replace(EARNING, reason="", points=1), ("points", "reason")),
    (
        redeem(100, source=EARNING.source, reason="a reason", known_as=key("k")),
        ("command", "effective_at", "expires_at", "matures_at"),
    ),
]


async def test_the_same_key_with_any_other_input_is_refused_and_changes_nothing() -> None:
    await post_one(EARNING, now=NOW)
    before = await everything_kept()
    for altered, differing in ALTERED:
        with pytest.raises(IdempotencyConflict) as refused:
            await post_one(altered, now=NOW)
        assert (refused.value.key, refused.value.differing) == ("k", differing)
    assert await everything_kept() == before
    assert {name for _, (name, *_) in ALTERED} == {field.name for field in fields(Earn)} - {
        "key"
    } | {"command"}


async def test_one_key_in_two_scopes_is_two_keys() -> None:
    for scope in ("shop", "partner"):
        posted = await post_one(earn(10, known_as=key("k", scope=scope)), now=NOW)
        assert not posted.replayed
    assert (await balance(ALICE, now=NOW)).available == 20


async def test_a_refusal_changes_nothing_and_its_key_may_succeed_later() -> None:
    await post_one(earn(50, expires=NOW + days(2)), now=NOW)
    before = await everything_kept()
    later = NOW + days(3)
    spending = redeem(60, known_as=key("k"))
    with pytest.raises(InsufficientPoints) as refused:
        await post_one(spending, now=later)
    # What expired meanwhile is counted, and left for a posting that takes effect.
    assert (refused.value.available, refused.value.requested) == (0, 60)
    assert await everything_kept() == before
    await post_one(earn(60), now=later)
    posted = await post_one(spending, now=later)
    assert (posted.seq, posted.amount, posted.replayed) == (4, -60, False)
    assert await verify_account(ALICE) == []


async def test_a_refusal_makes_no_account() -> None:
    before = await everything_kept()
    with pytest.raises(InsufficientPoints):
        await post_one(redeem(1), now=NOW)
    for points in (0, -5, POINTS_MAX + 1):
        with pytest.raises(PointsOutOfRange):
            await post_one(earn(points), now=NOW)
    assert await everything_kept() == before


async def test_the_largest_amount_is_stored_and_spent_exactly() -> None:
    await post_one(earn(POINTS_MAX), now=NOW)
    before = await everything_kept()
    with pytest.raises(PointsOutOfRange) as refused:
        await post_one(earn(1), now=NOW)
    assert refused.value.points == 2**53
    assert await everything_kept() == before
    posted = await post_one(redeem(POINTS_MAX), now=NOW)
    assert (posted.amount, posted.balance_after) == (-POINTS_MAX, 0)
    assert await verify_account(ALICE) == []


async def test_a_posting_joins_its_callers_transaction() -> None:
    """What the caller rolls back never happened, the key included."""
    before = await everything_kept()

    async def recording_that_fails() -> None:
        await post_one(earn(10, known_as=key("k")), now=NOW)
        await execute("UPDATE points_account SET available = 11")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transaction(recording_that_fails)
    assert await everything_kept() == before
    assert (await post_one(earn(10, known_as=key("k")), now=NOW)).replayed is False
    assert await verify_account(ALICE) == []


async def test_what_fell_due_is_written_before_the_command_is_decided() -> None:
    await post([earn(100, expires=NOW + days(2)), earn(40, matures=NOW + days(1))], now=NOW)
    posted = await post_one(redeem(40), now=NOW + days(2))
    assert (posted.seq, posted.balance_after) == (5, 0)
    entries = await fetch_all(
        "SELECT kind, amount, balance_after, effective_at FROM points_entry ORDER BY seq"
    )
    assert tuples(entries) == [
        ("EARN", 100, 100, NOW),
        ("EARN", 40, 100, NOW),
        ("MATURE", 40, 140, NOW + days(1)),
        ("EXPIRE", -100, 40, NOW + days(2)),
        ("REDEEM", -40, 0, NOW + days(2)),
    ]
    assert await verify_account(ALICE) == []


async def test_a_backdated_earning_settles_with_the_lots_that_were_there_before() -> None:
    """Its own lot is due at once, and so may others be: what is due is told of all of them."""
    await post([earn(10, expires=NOW + days(90)), earn(20, matures=NOW + days(90))], now=NOW)
    for number, (ago, matures, expires, written) in enumerate(
        [(400, None, 365, 4), (400, 7, 365, 7), (30, 7, 365, 9), (30, None, 365, 10)]
    ):
        at = NOW - days(ago)
        command = earn(
            100,
            at=at,
            matures=at + days(matures) if matures else None,
            expires=at + days(expires),
            known_as=key(str(number)),
        )
        await post_one(command, now=NOW)
        assert (await balance(ALICE, now=NOW)).version == written
    entries = await fetch_all("SELECT kind, balance_after FROM points_entry ORDER BY seq")
    assert tuples(entries)[2:] == [
        ("EARN", 110),
        ("EXPIRE", 10),
        ("EARN", 10),
        ("MATURE", 110),
        ("EXPIRE", 10),
        ("EARN", 10),
        ("MATURE", 110),
        ("EARN", 210),
    ]
    seen = await balance(ALICE, now=NOW)
    assert (seen.available, seen.pending) == (210, 20)
    assert await verify_account(ALICE) == []
