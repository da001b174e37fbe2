"""A redemption that is taken back: lots, stock and coupons, once; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import rewards
from domain.errors import IdempotencyConflict, RedemptionNotCancellable, RedemptionUnknown
from domain.ledger import entry, lots_of
from domain.rewards import (
    CancelRedemption,
    ChangeReward,
    CouponStatus,
    Redemption,
    RedemptionStatus,
    RewardDefinition,
    RewardRules,
    ShipRedemption,
    offers,
)
from domain.rewards import redeeming as redeeming_module
from domain.rewards.redeeming import STOCK_MAX
from tests.domain.ledger.commands import ALICE, BOB, NOW, days
from tests.domain.rewards.counter import (
    CLERK,
    DRAW,
    MUG,
    RULES,
    TEN_OFF,
    cancelled,
    give,
    kept,
    open_counter,
    points,
    redeemed,
    reserve,
    stock,
    using,
    wallet,
)
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")


async def back(found: Redemption, *, now: datetime = NOW) -> list[tuple[int, datetime]]:
    """The lots in which the points came back."""
    assert found.given_back_seq is not None
    given = await entry(ALICE, seq=found.given_back_seq)
    assert given is not None
    assert (given.kind.value, given.reverses, given.source.kind) == (
        "REVERSAL",
        found.entry_seq,
        "cancellation",
    )
    lots = (await lots_of(ALICE, [given.seq], now=now))[given.seq]
    return [(lot.points, lot.expires_at) for lot in lots]


async def test_lots_and_stock_come_back_and_coupons_end() -> None:
    await open_counter()
    soon = datetime(2026, 3, 9, 16, tzinfo=UTC)
    await give(200, expires=soon)
    gift, coupon = await redeemed(MUG), await redeemed(TEN_OFF, "k-2")
    made = await cancelled(gift)
    assert (made.status, await stock(MUG), await points()) == (
        RedemptionStatus.CANCELLED,
        10,
        900,
    )
    assert await back(made) == [(200, soon), (300, datetime(9999, 12, 31, tzinfo=UTC))]
    await cancelled(coupon, "c-2")
    assert [one.status for one in await wallet()] == [CouponStatus.REVOKED]
    assert await points() == 1_200


async def changed_stock(reward: RewardDefinition, stock: int | None) -> None:
    [found] = (await offers.rewards_by_ids([reward.id])).values()
    change = ChangeReward(reward_id=reward.id, version=found.version, changes={"stock": stock})
    await rewards.change_reward(change, by=CLERK, now=NOW)


async def test_only_what_came_from_a_stock_goes_back_into_it() -> None:
    await open_counter()
    free = await redeemed(DRAW)
    await changed_stock(DRAW, 5)
    counted = await redeemed(DRAW, "k-2")
    assert await stock(DRAW) == 4
    await cancelled(free)
    assert await stock(DRAW) == 4
    await cancelled(counted, "c-2")
    assert await stock(DRAW) == 5
    # Where the limit was lifted meanwhile there is nothing to go back into.
    counted = await redeemed(DRAW, "k-3")
    await changed_stock(DRAW, None)
    await cancelled(counted, "c-3")
    assert await stock(DRAW) is None


async def test_a_stock_that_is_full_stays_so() -> None:
    some = replace(DRAW, stock=10)
    await open_counter(some)
    found = await redeemed(some)
    await changed_stock(some, STOCK_MAX - 1)
    await cancelled(found)
    assert await stock(some) == STOCK_MAX
    found = await redeemed(some, "k-2", quantity=3)
    await changed_stock(some, STOCK_MAX)
    assert (await cancelled(found, "c-2")).status is RedemptionStatus.CANCELLED
    assert (await stock(some), await points()) == (STOCK_MAX, 1_000)


async def test_a_limit_that_is_lifted_while_somebody_redeems_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was looked at before staff lifted it: nothing was taken, so nothing goes back."""
    await open_counter()
    look = offers.rewards_by_ids

    async def looks_late(ids: Any) -> Any:
        return {key: replace(one, stock=5) for key, one in (await look(ids)).items()}

    with monkeypatch.context() as patch:
        patch.setattr(redeeming_module, "rewards_by_ids", looks_late)
        found = await redeemed(DRAW)
    assert (found.from_stock, found.reward.stock) == (False, None)
    await changed_stock(DRAW, 5)
    await cancelled(found)
    assert await stock(DRAW) == 5


async def test_points_that_expired_meanwhile_come_back_through_the_days_of_grace() -> None:
    await open_counter()
    soon = datetime(2026, 3, 9, 16, tzinfo=UTC)
    await give(500, expires=soon)
    found = await redeemed(MUG)
    later = datetime(2026, 3, 20, 4, tzinfo=UTC)
    made = await cancelled(found, now=later, rules=RewardRules(grace_days=7))
    assert await back(made, now=later) == [(500, datetime(2026, 3, 27, 16, tzinfo=UTC))]
    assert await points(now=later) == 1_500
    assert await points(now=datetime(2026, 3, 27, 16, tzinfo=UTC)) == 1_000


async def test_it_is_taken_back_once() -> None:
    await open_counter()
    found = await redeemed(MUG)
    made = await cancelled(found)
    before = await everything_kept()
    assert await cancelled(found, now=NOW + days(1)) == made
    with pytest.raises(RedemptionNotCancellable) as refused:
        await cancelled(found, "another key")
    assert refused.value.state == "CANCELLED"
    other = replace(found, id=UUID(int=5))
    with pytest.raises(IdempotencyConflict):
        await cancelled(other)
    assert await everything_kept() == before


async def test_nobody_elses_is_cancelled() -> None:
    await open_counter()
    found = await redeemed(MUG)
    command = CancelRedemption(member_id=BOB, redemption_id=found.id, idempotency_key="c")
    before = await everything_kept()
    with pytest.raises(RedemptionUnknown):
        await rewards.cancel_redemption(command, rules_in_force=RULES, now=NOW)
    assert await everything_kept() == before


@pytest.mark.parametrize(
    "state", ["SHIPPED", "DELIVERED", "COUPON_RESERVED", "COUPON_USED", "COUPON_EXPIRED"]
)
async def test_what_was_used_or_sent_stays(state: str) -> None:
    await open_counter()
    now = NOW
    if state.startswith("COUPON"):
        found = await redeemed(TEN_OFF, quantity=2)
        coupon = (await wallet())[0]
        if state == "COUPON_EXPIRED":
            now = coupon.expires_at
        else:
            await reserve(coupon)
        if state == "COUPON_USED":
            await rewards.confirm_coupon(using(coupon), now=NOW)
    else:
        found = await redeemed(MUG, address_id=(await kept()).id)
        sent = ShipRedemption(member_id=ALICE, redemption_id=found.id, carrier="顺丰", number="SF1")
        await rewards.ship_redemption(sent, by=CLERK, now=NOW)
        if state == "DELIVERED":
            await rewards.deliver_redemption(ALICE, redemption_id=found.id, by=CLERK, now=NOW)
    before = await everything_kept()
    with pytest.raises(RedemptionNotCancellable) as refused:
        await cancelled(found, now=now)
    assert refused.value.state == state
    assert await everything_kept() == before


async def test_a_reservation_that_ran_out_does_not_keep_a_redemption() -> None:
    await open_counter()
    found = await redeemed(TEN_OFF)
    [coupon] = await wallet()
    await reserve(coupon)
    made = await cancelled(found, now=NOW + timedelta(minutes=30))
    assert made.status is RedemptionStatus.CANCELLED
    assert [one.status for one in await wallet()] == [CouponStatus.REVOKED]
