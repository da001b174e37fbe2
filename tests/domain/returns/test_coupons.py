"""Coupons that were paid with points of an order which comes back, and previews of that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from domain import ledger, rewards, tiers
from domain.errors import AmountInvalid, RefundExceeds
from domain.ledger import EntryKind
from domain.returns import RefundPreview
from domain.rewards import CouponStatus, RedemptionStatus, ReserveCoupon, UseCoupon
from domain.storage import fetch_all, observed_statements
from domain.tiers import LessPerks
from tests.domain.purchases.shop import NOW, line, open_shop, order
from tests.domain.returns.desk import (
    IN_FORCE,
    MUG,
    TEN_OFF,
    journal,
    level,
    offer,
    points,
    preview,
    record,
    redeem,
    refund,
    told,
    wallet,
)
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")


async def statuses(member_id: UUID) -> list[CouponStatus]:
    """Of the member's coupons, in the order in which they were issued."""
    coupons = sorted(await wallet(member_id), key=lambda one: one.id)
    return [one.status for one in coupons]


async def test_no_more_coupons_end_than_the_debt_needs_and_the_newest_first() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await offer()
    await shop.record(order("A", "alice", line("cup", 10_000)))
    for key in ("k-1", "k-2", "k-3"):
        await redeem(alice, key)
    assert (await points(alice)).available == 10

    # Ten points are there, forty are taken: the newest coupon gives thirty back.
    batch = await record(refund("r-1", "A", 4_000))
    assert told(batch.receipts) == [("APPLIED", None, 40, 0)]
    assert await statuses(alice) == ["ACTIVE", "ACTIVE", "REVOKED"]
    assert (await journal(alice))[-2:] == [(EntryKind.REVERSAL, 30), (EntryKind.REVERSAL, -40)]
    # Nothing is there, and one point is needed: another coupon ends, 29 points stay.
    batch = await record(refund("r-2", "A", 100), batch_id="refunds-2")
    assert told(batch.receipts) == [("APPLIED", None, 1, 0)]
    assert (await points(alice)).available == 29
    assert await statuses(alice) == ["ACTIVE", "REVOKED", "REVOKED"]
    assert await rewards.stock_left([TEN_OFF.id]) == {TEN_OFF.id: 9}
    assert await ledger.verify_account(alice) == []


async def test_a_stock_is_locked_for_the_last_moment_alone() -> None:
    """A reward's row is wanted by many at once; a batch has refunds, levels and keys to write."""
    shop = await open_shop("alice", "bob")
    await offer()
    for name in ("alice", "bob"):
        await shop.record(order(name, name, line("cup", 6_000)), batch_id=name)
        for key in ("k-1", "k-2"):
            await redeem(shop.members[name], key)
    with observed_statements() as statements:
        await record(refund("r-1", "alice", 6_000), refund("r-2", "bob", 6_000))
    # One statement for the four coupons of one reward, after everything but the events, which the
    # commit numbers.
    [at] = [at for at, one in enumerate(statements) if one.startswith("UPDATE reward ")]
    assert [one for one in statements[at + 1 :] if "outbox" not in one] == []
    assert await rewards.stock_left([TEN_OFF.id]) == {TEN_OFF.id: 10}


async def test_refunds_of_one_batch_share_the_coupons() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await offer()
    await shop.record(order("A", "alice", line("cup", 6_000)))
    first, second = await redeem(alice, "k-1"), await redeem(alice, "k-2")
    batch = await record(
        refund("r-1", "A", 1_000), refund("r-2", "A", 2_500), refund("r-3", "A", 2_500)
    )
    assert told(batch.receipts) == [
        ("APPLIED", None, 10, 0),
        ("APPLIED", None, 25, 0),
        ("APPLIED", None, 25, 0),
    ]
    assert await statuses(alice) == ["REVOKED", "REVOKED"]
    rows = await fetch_all("SELECT id, status, given_back_seq FROM redemption ORDER BY redeemed_at")
    ended = {row["id"]: (row["status"], row["given_back_seq"]) for row in rows}
    # The second is the newer one: it gave its points back for the first refund.
    assert ended == {second.id: ("CANCELLED", 4), first.id: ("CANCELLED", 6)}
    assert await ledger.verify_account(alice) == []


async def test_what_was_used_or_reserved_or_is_a_gift_stays_and_debt_is_left() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await offer()
    await shop.record(order("A", "alice", line("cup", 14_000)))
    for key in ("k-1", "k-2", "k-3"):
        await redeem(alice, key)
    gift = await redeem(alice, "k-4", MUG)
    used, reserved, _ = sorted(await wallet(alice), key=lambda one: one.id)
    for coupon in (used, reserved):
        await rewards.reserve_coupon(
            ReserveCoupon(
                owner="shop",
                code=coupon.code,
                order_reference=str(coupon.id),
                amount_fen=5_000,
                idempotency_key=str(coupon.id),
            ),
            rules_in_force=IN_FORCE,
            now=NOW,
        )
    await rewards.confirm_coupon(
        UseCoupon(
            owner="shop", code=used.code, order_reference=str(used.id), idempotency_key="use"
        ),
        now=NOW,
    )
    batch = await record(refund("r-1", "A", 14_000))
    assert told(batch.receipts) == [("APPLIED", None, 140, 110)]
    assert await statuses(alice) == ["USED", "RESERVED", "REVOKED"]
    found = await rewards.redemption(alice, redemption_id=gift.id)
    assert found is not None
    assert found.status is RedemptionStatus.AWAITING_ADDRESS
    assert await ledger.verify_account(alice) == []


async def test_coupons_that_other_points_paid_stay() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await offer()
    await shop.record(order("A", "alice", line("cup", 3_000)))
    await redeem(alice, "k-1")
    await shop.record(order("B", "alice", line("cup", 3_000)), batch_id="batch-2")
    await redeem(alice, "k-2")
    batch = await record(refund("r-1", "B", 3_000))
    assert told(batch.receipts) == [("APPLIED", None, 30, 0)]
    assert await statuses(alice) == ["ACTIVE", "REVOKED"]


async def test_points_that_came_back_once_still_are_of_their_order() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await offer()
    await shop.record(order("A", "alice", line("cup", 3_000)))
    found = await redeem(alice, "k-1")
    await rewards.cancel_redemption(
        rewards.CancelRedemption(member_id=alice, redemption_id=found.id, idempotency_key="cancel"),
        rules_in_force=IN_FORCE,
        now=NOW,
    )
    await redeem(alice, "k-2")
    batch = await record(refund("r-1", "A", 3_000))
    assert told(batch.receipts) == [("APPLIED", None, 30, 0)]
    assert await statuses(alice) == ["REVOKED", "REVOKED"]


async def test_a_coupon_that_has_expired_gives_nothing_back() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await offer()
    await shop.record(order("A", "alice", line("cup", 3_000)))
    await redeem(alice, "k-1")
    later = NOW + timedelta(days=31)
    batch = await record(refund("r-1", "A", 3_000, refunded_at=later), now=later)
    assert told(batch.receipts) == [("APPLIED", None, 30, 30)]


async def test_a_preview_says_what_the_refund_does_and_writes_nothing() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await offer(replace(TEN_OFF, points_price=700))
    await shop.record(order("A", "alice", line("cup", 100_000)))
    found = await redeem(alice, "k-1")
    before = await everything_kept()
    assert await preview(alice, "A", 30_000) == RefundPreview(
        points_taken=300,
        debt_after=0,
        level_after="member",
        ended=(),
        perks=LessPerks(lost=("double",), reduced=()),
    )
    foreseen = await preview(alice, "A", 30_100)
    assert foreseen is not None
    assert (foreseen.points_taken, foreseen.debt_after) == (301, 0)
    assert [one.id for one in foreseen.ended] == [found.id]
    assert await everything_kept() == before
    batch = await record(refund("r-1", "A", 30_100))
    assert told(batch.receipts) == [("APPLIED", None, 301, 0)]
    assert (await statuses(alice), await level(alice)) == (["REVOKED"], "member")


async def test_perks_that_time_took_are_not_lost_by_a_refund() -> None:
    """Whether the job that reviews the level has come by or not."""
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await shop.record(order("A", "alice", line("cup", 100_000)))
    ends_at = (await tiers.held_levels([alice]))[alice].keep_until
    last, over = ends_at - timedelta(microseconds=1), ends_at
    for now, lost in ((last, ("double",)), (over, ())):
        foreseen = await preview(alice, "A", 30_000, now=now)
        assert foreseen is not None
        assert (foreseen.level_after, foreseen.perks.lost) == ("member", lost)
    assert await level(alice) == "gold"


async def test_a_preview_of_what_cannot_be() -> None:
    shop = await open_shop("alice", "bob")
    alice, bob = shop.members["alice"], shop.members["bob"]
    await shop.record(order("A", "alice", line("cup", 10_000)))
    assert await preview(bob, "A", 1) is None
    with pytest.raises(RefundExceeds) as refused:
        await preview(alice, "A", 10_001)
    assert refused.value.left_fen == 10_000
    for amount in (0, -1, 2**53):
        with pytest.raises(AmountInvalid):
            await preview(alice, "A", amount)
