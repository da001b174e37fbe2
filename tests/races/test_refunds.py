"""Refunds that race with each other, and with whatever else becomes of an order's points."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain import ledger, members, rewards
from domain.custody import MergeBecause, merge
from domain.errors import CouponRevoked, InsufficientPoints, RedemptionNotCancellable
from domain.returns import RefundBatch
from domain.rewards import CancelRedemption, CouponStatus, RedemptionStatus, ReserveCoupon
from domain.storage import fetch_all, transaction
from tests.domain.purchases.shop import NOW, Shop, line, open_shop, order
from tests.domain.returns.desk import (
    IN_FORCE,
    offer,
    points,
    preview,
    record,
    redeem,
    refund,
    told,
    wallet,
)
from tests.races.contention import Gate
from tests.races.refunding import give_back

ACCOUNTS = "SELECT 1 FROM points_account FOR UPDATE"
MEMBERS = "SELECT 1 FROM member FOR UPDATE"
SHARED = "EXCLUSIVE"  # Whoever locks a row, or writes one, waits; whoever reads does not.


@pytest.fixture
async def shop(postgres: str) -> Shop:
    """Alice bought for a hundred yuan, and may redeem coupons of thirty points."""
    opened = await open_shop("alice", "bob")
    await offer()
    await opened.record(order("A", "alice", line("cup", 10_000)), order("B", "bob"))
    return opened


async def sound(shop: Shop) -> None:
    for member_id in shop.members.values():
        assert await ledger.verify_account(member_id) == []


async def test_two_processes_give_back_no_more_than_was_paid(
    shop: Shop, gate: Gate, postgres: str
) -> None:
    await gate.hold(MEMBERS)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.races.refunding", postgres, "3000", "4", "8"),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    here = asyncio.create_task(give_back(3_000, range(4)))
    await gate.open(waiting=8)
    output, _ = await process.communicate()
    met = Counter(await here) + Counter(orjson.loads(output.splitlines()[-1]))
    assert met == {"APPLIED": 3, "REFUND_EXCEEDS": 5}
    [row] = await fetch_all(
        "SELECT refunded_fen, points_taken FROM purchase WHERE external_id = 'A'"
    )
    assert (row["refunded_fen"], row["points_taken"]) == (9_000, 90)
    assert (await points(shop.members["alice"])).available == 10
    await sound(shop)


async def test_one_refund_sent_many_times_at_once_is_one(shop: Shop, gate: Gate) -> None:
    await gate.hold(MEMBERS)
    crowd = asyncio.gather(
        *(record(refund("r-1", "A", 4_000), batch_id=f"refunds-{n % 3}") for n in range(6))
    )
    await gate.open(waiting=6)
    met = Counter(
        "replayed" if batch.replayed else batch.receipts[0].status.value for batch in await crowd
    )
    assert met == {"APPLIED": 1, "DUPLICATE": 2, "replayed": 3}
    assert (await points(shop.members["alice"])).available == 60
    await sound(shop)


async def test_batches_that_name_the_same_orders_in_opposite_order_do_not_deadlock(
    shop: Shop, gate: Gate
) -> None:
    await gate.hold(MEMBERS)
    crowd = asyncio.gather(
        *(
            record(
                *sorted(
                    [refund(f"a-{n}", "A", 100), refund(f"b-{n}", "B", 100)],
                    key=lambda one: one.order_external_id,
                    reverse=bool(n % 2),
                ),
                batch_id=f"refunds-{n}",
            )
            for n in range(6)
        )
    )
    await gate.open(waiting=6)
    for batch in await crowd:
        assert {one.status.value for one in batch.receipts} == {"APPLIED"}
    await sound(shop)


async def test_what_is_redeemed_during_a_refund_ends_or_is_not_redeemed(
    shop: Shop, gate: Gate
) -> None:
    alice = shop.members["alice"]
    await gate.hold(ACCOUNTS)
    redeeming = asyncio.gather(*(redeem(alice, f"k-{n}") for n in range(3)), return_exceptions=True)
    refunding = asyncio.create_task(record(refund("r-1", "A", 10_000)))
    await gate.open(waiting=4)
    made = [one for one in await redeeming if not isinstance(one, BaseException)]
    refused = 3 - len(made)
    assert all(isinstance(one, InsufficientPoints) for one in await redeeming if one not in made)
    # What was redeemed before the refund ended with it; what came after found no points.
    assert told((await refunding).receipts) == [("APPLIED", None, 100, 0)]
    assert [one.status for one in await wallet(alice)] == [CouponStatus.REVOKED] * (3 - refused)
    assert (await points(alice)).available == 0
    await sound(shop)


async def test_a_coupon_is_either_reserved_or_taken_back(shop: Shop, gate: Gate) -> None:
    alice = shop.members["alice"]
    for key in ("k-1", "k-2", "k-3"):
        await redeem(alice, key)
    coupons = await wallet(alice)

    async def reserve(number: int) -> CouponStatus | None:
        command = ReserveCoupon(
            owner="till",
            code=coupons[number].code,
            order_reference=f"o-{number}",
            amount_fen=100,
            idempotency_key=f"k-{number}",
        )
        try:
            used = await rewards.reserve_coupon(command, rules_in_force=IN_FORCE, now=NOW)
        except CouponRevoked:
            return None
        return used.status

    await gate.hold("SELECT 1 FROM coupon FOR UPDATE")
    reserving = asyncio.gather(*(reserve(number) for number in range(3)))
    refunding = asyncio.create_task(record(refund("r-1", "A", 10_000)))
    await gate.open(waiting=4)
    reserved = [one for one in await reserving if one is not None]
    [receipt] = (await refunding).receipts
    assert receipt.debt_after == 30 * len(reserved)
    statuses = Counter(one.status for one in await wallet(alice))
    assert statuses[CouponStatus.RESERVED] == len(reserved)
    assert statuses[CouponStatus.REVOKED] == 3 - len(reserved)
    await sound(shop)


@pytest.mark.parametrize("first", ["cancel", "refund"])
async def test_a_redemption_gives_its_points_back_once(shop: Shop, gate: Gate, first: str) -> None:
    alice = shop.members["alice"]
    found = await redeem(alice, "k-1")
    command = CancelRedemption(member_id=alice, redemption_id=found.id, idempotency_key="cancel")
    cancelling = partial(rewards.cancel_redemption, command, rules_in_force=IN_FORCE, now=NOW)
    refunding = partial(record, refund("r-1", "A", 10_000))
    await gate.hold(ACCOUNTS)
    tasks: dict[str, asyncio.Task[object]] = {}
    for at, name in enumerate(sorted(("cancel", "refund"), key=lambda one: one != first), start=1):
        work = cancelling if name == "cancel" else refunding
        tasks[name] = asyncio.create_task(work())
        await gate.gather(at)
    await gate.open(waiting=2)
    done = dict(
        zip(tasks, await asyncio.gather(*tasks.values(), return_exceptions=True), strict=True)
    )
    assert isinstance(done["refund"], RefundBatch)
    assert told(done["refund"].receipts) == [("APPLIED", None, 100, 0)]
    if first == "refund":
        assert isinstance(done["cancel"], RedemptionNotCancellable)
    read = await rewards.redemption(alice, redemption_id=found.id)
    assert read is not None
    assert read.status is RedemptionStatus.CANCELLED
    assert (await points(alice)).available == 0
    await sound(shop)


@pytest.mark.parametrize("first", ["merge", "refund"])
async def test_a_refund_during_a_merge_is_the_keepers(shop: Shop, gate: Gate, first: str) -> None:
    alice, bob = shop.members["alice"], shop.members["bob"]
    await redeem(alice, "k-1")
    joining = partial(merge, bob, alice, because=MergeBecause.STAFF, by="staff:x", now=NOW)
    works: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "merge": partial(transaction, joining),
        "refund": partial(record, refund("r-1", "A", 9_000)),
    }
    await gate.hold(MEMBERS)
    tasks = []
    for at, name in enumerate(sorted(works, key=lambda one: one != first), start=1):
        tasks.append(asyncio.create_task(works[name]()))
        await gate.gather(at)
    await gate.open(waiting=2)
    await asyncio.gather(*tasks)
    assert await members.heirs([alice]) == {alice: bob}
    # Bob has 88 points, Alice brought what her coupon left of a hundred.
    ended = first == "refund"
    balance = await points(bob)
    assert (balance.available, balance.debt) == (88 + 10, 0) if ended else (88 + 70 - 90, 0)
    assert [one.status for one in await wallet(bob)] == [
        CouponStatus.REVOKED if ended else CouponStatus.ACTIVE
    ]
    rows = await fetch_all("SELECT member_id, points_taken FROM purchase_refund")
    assert [(row["member_id"], row["points_taken"]) for row in rows] == [(bob, 90)]
    await sound(shop)


async def test_a_preview_waits_for_nobody(shop: Shop, gate: Gate) -> None:
    alice = shop.members["alice"]
    await redeem(alice, "k-1")
    await gate.hold(f"LOCK points_account, purchase, redemption, coupon, member IN {SHARED} MODE")
    foreseen = await preview(alice, "A", 10_000)
    assert foreseen is not None
    assert (foreseen.points_taken, foreseen.debt_after, len(foreseen.ended)) == (100, 0, 1)


async def test_a_reference_is_a_uuid(shop: Shop) -> None:
    """Nothing of what a shop calls its refund stays in the journal of one who is erased."""
    await record(refund("小明的退款", "A", 100))
    rows = await fetch_all("SELECT cause FROM points_reversal")
    assert [str(UUID(row["cause"])) for row in rows] == [row["cause"] for row in rows]
