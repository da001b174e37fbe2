"""Refunds of orders whose members turned out to be one person, or two again; on both databases."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest

from domain import ledger
from domain.custody import Merge, MergeBecause, merge, part
from domain.rewards import CouponStatus
from domain.storage import fetch_all, transaction
from tests.domain.purchases.shop import NOW, Shop, line, open_shop, order
from tests.domain.returns.desk import offer, points, preview, record, redeem, refund, told, wallet

pytestmark = pytest.mark.usefixtures("database")


async def two() -> tuple[Shop, UUID, UUID]:
    """A keeper who bought for 50 yuan, and a loser who bought for 100 and has a coupon for 30."""
    shop = await open_shop("keeper", "loser")
    await offer()
    await shop.record(
        order("K", "keeper", line("cup", 5_000)), order("L", "loser", line("cup", 10_000))
    )
    await redeem(shop.members["loser"], "k-1")
    return shop, shop.members["keeper"], shop.members["loser"]


async def joined(keeper: UUID, loser: UUID) -> Merge:
    because = MergeBecause.STAFF
    made = await transaction(partial(merge, keeper, loser, because=because, by="staff:x", now=NOW))
    assert made is not None
    return made


async def refunds() -> list[tuple[UUID, int]]:
    rows = await fetch_all("SELECT member_id, points_taken FROM purchase_refund ORDER BY id")
    return [(row["member_id"], row["points_taken"]) for row in rows]


async def sound(*member_ids: UUID) -> None:
    for member_id in member_ids:
        assert await ledger.verify_account(member_id) == []


async def test_the_keeper_gives_back_what_the_order_of_the_other_earned() -> None:
    _, keeper, loser = await two()
    await joined(keeper, loser)
    # 50 and 70 points are there, which suffice: no coupon ends.
    foreseen = await preview(keeper, "L", 10_000)
    assert foreseen is not None
    assert (foreseen.points_taken, foreseen.debt_after, foreseen.ended) == (100, 0, ())
    batch = await record(refund("r-1", "L", 10_000))
    assert told(batch.receipts) == [("APPLIED", None, 100, 0)]
    assert await refunds() == [(keeper, 100)]
    assert (await points(keeper)).available == 20
    batch = await record(refund("r-2", "K", 5_000), batch_id="refunds-2")
    # The coupon was paid by the other order: these thirty points are owed.
    assert told(batch.receipts) == [("APPLIED", None, 50, 30)]
    assert [one.status for one in await wallet(keeper)] == [CouponStatus.ACTIVE]
    await sound(keeper, loser)


async def test_a_coupon_that_came_along_ends_for_the_order_that_came_along() -> None:
    _, keeper, loser = await two()
    await record(refund("r-1", "K", 5_000))
    await joined(keeper, loser)
    foreseen = await preview(keeper, "L", 10_000)
    assert foreseen is not None
    assert (foreseen.debt_after, len(foreseen.ended)) == (0, 1)
    batch = await record(refund("r-2", "L", 10_000), batch_id="refunds-2")
    assert told(batch.receipts) == [("APPLIED", None, 100, 0)]
    assert [one.status for one in await wallet(keeper)] == [CouponStatus.REVOKED]
    assert (await points(keeper)).available == 0
    await sound(keeper, loser)


async def test_refunds_go_back_with_their_order_and_go_on_there() -> None:
    _, keeper, loser = await two()
    await record(refund("r-1", "L", 1_000))
    made = await joined(keeper, loser)
    await record(refund("r-2", "L", 1_000), batch_id="refunds-2")
    assert await refunds() == [(keeper, 10), (keeper, 10)]
    await transaction(partial(part, made, by="staff:x", now=NOW))
    assert await refunds() == [(loser, 10), (loser, 10)]
    batch = await record(refund("r-3", "L", 8_001), refund("r-4", "L", 8_000), batch_id="refunds-3")
    assert [one.code or one.status for one in batch.receipts] == ["REFUND_EXCEEDS", "APPLIED"]
    assert batch.receipts[1].points_taken == 80
    assert [member for member, _ in await refunds()] == [loser] * 3
    assert await preview(keeper, "L", 1) is None
    await sound(keeper, loser)
