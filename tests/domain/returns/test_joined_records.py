"""Refunds of orders whose members turned out to be one person, or two again; on both databases."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from uuid import UUID

import pytest

from domain import ledger
from domain.custody import Merge, MergeBecause, merge, part
from domain.purchases import ImportOrders, import_orders
from domain.rewards import CouponStatus
from domain.storage import fetch_all, transaction
from tests.domain.purchases.shop import NOW, Shop, line, open_shop, order
from tests.domain.returns.desk import (
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


async def two_gold() -> tuple[Shop, UUID, UUID]:
    """A keeper and a loser who bought for 1,000 yuan each, by which each of them is gold."""
    shop = await open_shop("keeper", "loser")
    await shop.record(
        order("K", "keeper", line("cup", 100_000)), order("L", "loser", line("cup", 100_000))
    )
    return shop, shop.members["keeper"], shop.members["loser"]


async def parted(made: Merge) -> None:
    await transaction(partial(part, made, by="staff:x", now=NOW))


async def counted() -> dict[UUID, tuple[int, int, int]]:
    """Points, fen and purchases that count for each member, who all bought on one day."""
    rows = await fetch_all("SELECT * FROM qualifying_day")
    return {row["member_id"]: (row["points"], row["amount_fen"], row["purchases"]) for row in rows}


async def test_a_refund_while_they_were_one_lowers_whose_order_it_was() -> None:
    _, keeper, loser = await two_gold()
    made = await joined(keeper, loser)
    batch = await record(refund("r-1", "L", 100_000))
    assert told(batch.receipts) == [("APPLIED", None, 1_000, 0)]
    assert (await level(keeper), (await counted())[keeper]) == ("gold", (1_000, 100_000, 1))
    await parted(made)
    assert (await level(keeper), await level(loser)) == ("gold", "member")
    assert await counted() == {keeper: (1_000, 100_000, 1), loser: (0, 0, 0)}


async def test_a_refund_of_the_keepers_own_order_lowers_the_keeper() -> None:
    _, keeper, loser = await two_gold()
    made = await joined(keeper, loser)
    await record(refund("r-1", "K", 40_000))
    assert (await level(keeper), (await counted())[keeper]) == ("gold", (1_600, 160_000, 2))
    await parted(made)
    assert (await level(keeper), await level(loser)) == ("member", "gold")
    assert await counted() == {keeper: (600, 60_000, 1), loser: (1_000, 100_000, 1)}


async def test_refunds_in_part_stay_with_their_order_after_a_parting() -> None:
    _, keeper, loser = await two_gold()
    made = await joined(keeper, loser)
    await record(refund("r-1", "L", 30_000), refund("r-2", "K", 1_000))
    await parted(made)
    assert (await level(keeper), await level(loser)) == ("member", "member")
    await record(refund("r-3", "L", 70_000), batch_id="refunds-2")
    assert await counted() == {keeper: (990, 99_000, 1), loser: (0, 0, 0)}


async def test_lines_that_were_added_while_they_were_one_count_for_whose_order_it_was() -> None:
    shop = await open_shop("keeper", "loser")
    keeper, loser = shop.members["keeper"], shop.members["loser"]
    one, other = order("K", "keeper", line("cup", 60_000)), order("L", "loser", line("cup", 60_000))
    await shop.record(one, other)
    made = await joined(keeper, loser)
    added = replace(other, lines=(*other.lines, line("longjing", 50_000)))
    command = ImportOrders(source="shop", orders=(added,), create_members=False)
    [outcome] = await import_orders(command, rule=shop.rule, now=NOW)
    assert outcome.added == ["longjing"]
    assert (await level(keeper), await level(loser)) == ("gold", "member")
    await parted(made)
    assert (await level(keeper), await level(loser)) == ("member", "gold")
    found = await counted()
    assert (found[keeper], found[loser][1:]) == ((600, 60_000, 1), (110_000, 1))


async def test_a_third_record_follows_the_last_merge() -> None:
    """Of records that were joined one after the other only the last one is parted again."""
    shop = await open_shop("keeper", "loser", "third")
    keeper, loser, third = (shop.members[name] for name in ("keeper", "loser", "third"))
    await shop.record(*(order(name, name, line("cup", 100_000)) for name in shop.members))
    await joined(loser, third)
    made = await joined(keeper, loser)
    await record(refund("r-1", "third", 100_000), refund("r-2", "loser", 50_000))
    assert (await counted())[keeper] == (1_500, 150_000, 2)
    await parted(made)
    assert (await level(keeper), await level(loser)) == ("gold", "member")
    found = await counted()
    assert (found[keeper], found[loser]) == ((1_000, 100_000, 1), (500, 50_000, 1))
