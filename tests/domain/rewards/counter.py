"""A programme with rewards, and members who have points to redeem them with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import rewards, tiers
from domain.audit import Actor
from domain.ledger import NEVER, Balance, Earn, Source, balance, post_one, verify_account
from domain.paging import PageRequest
from domain.rewards import (
    AddAddress,
    Address,
    CancelRedemption,
    Coupon,
    CouponInUse,
    CouponOff,
    CouponTerms,
    CouponValue,
    Place,
    RedeemReward,
    Redemption,
    ReserveCoupon,
    RewardDefinition,
    RewardRules,
    UseCoupon,
)
from domain.tiers import LevelDefinition
from tests.domain.ledger.commands import ALICE, NOW

CLERK = Actor(name="staff:clerk", account_id=UUID(int=7), request_id="0199c0ffee")
RULES = RewardRules()
HOME = Place(
    recipient="王小明",
    phone="+8613800138000",
    region="上海市静安区",
    street="南京西路 1 号",
    postcode="200040",
)

MUG = RewardDefinition(
    id=UUID(int=1),
    code="mug",
    title_zh="杯子",
    title_en="Mug",
    description_zh="",
    description_en="",
    kind="GIFT",
    points_price=500,
    stock=10,
)
TEN_OFF = replace(
    MUG,
    id=UUID(int=2),
    code="ten-off",
    kind="COUPON",
    title_zh="十元券",
    title_en="Ten yuan off",
    points_price=300,
    stock=None,
    coupon=CouponTerms(
        value=CouponValue(off=CouponOff.AMOUNT, value=1_000, amount_min_fen=5_000),
        days=30,
        terms_zh="满 50 元可用",
        terms_en="From 50 yuan",
    ),
)
TENTH_OFF = replace(
    TEN_OFF,
    id=UUID(int=3),
    code="tenth-off",
    coupon=CouponTerms(
        value=CouponValue(off=CouponOff.SHARE, value=100, discount_max_fen=2_000), stacks=True
    ),
)
SEAT = replace(MUG, id=UUID(int=4), code="seat", kind="PERK", level_required="silver", stock=2)
DRAW = replace(MUG, id=UUID(int=5), code="draw", kind="PARTNER_PRIZE", points_price=100, stock=None)

LEVELS = [
    LevelDefinition(code="bronze", rank=0, name_zh="青铜", name_en="Bronze", threshold=0),
    LevelDefinition(code="silver", rank=1, name_zh="白银", name_en="Silver", threshold=1_000),
]


async def open_counter(*changed: RewardDefinition) -> None:
    """Define the levels and the rewards, and give ALICE a thousand points."""
    await tiers.define_levels(LEVELS, perks=[], now=NOW)
    known = {one.code: one for one in (MUG, TEN_OFF, TENTH_OFF, SEAT, DRAW, *changed)}
    await rewards.define_rewards([*known.values()], now=NOW)
    await give(1_000)


async def give(
    points: int, *, member_id: UUID = ALICE, expires: datetime = NEVER, at: datetime = NOW
) -> None:
    """Let a member earn points."""
    await post_one(
        Earn(
            member_id=member_id,
            points=points,
            source=Source(kind="purchase", reference="order-1"),
            effective_at=at,
            expires_at=expires,
        ),
        now=at,
    )


def redeeming(
    reward: RewardDefinition, key: str = "k-1", *, member_id: UUID = ALICE, **values: Any
) -> RedeemReward:
    """The command."""
    return RedeemReward(member_id=member_id, reward_id=reward.id, idempotency_key=key, **values)


async def redeemed(
    reward: RewardDefinition, key: str = "k-1", *, now: datetime = NOW, **values: Any
) -> Redemption:
    """A redemption that is made."""
    return await rewards.redeem_reward(redeeming(reward, key, **values), now=now)


async def cancelled(
    found: Redemption, key: str = "c-1", *, now: datetime = NOW, rules: RewardRules = RULES
) -> Redemption:
    """A redemption that is taken back."""
    command = CancelRedemption(
        member_id=found.member_id, redemption_id=found.id, idempotency_key=key
    )
    return await rewards.cancel_redemption(command, rules_in_force=rules, now=now)


async def kept(place: Place = HOME, *, member_id: UUID = ALICE, key: str = "a-1") -> Address:
    """An address that the member keeps."""
    command = AddAddress(member_id=member_id, place=place, idempotency_key=key)
    return await rewards.add_address(command, now=NOW)


async def wallet(*, member_id: UUID = ALICE, now: datetime = NOW) -> list[Coupon]:
    """All coupons of a member."""
    page = await rewards.coupons(member_id, PageRequest(first=100), status=None, now=now)
    return [*page.items]


async def coupon_of(
    reward: RewardDefinition = TEN_OFF, key: str = "k-1", *, now: datetime = NOW
) -> Coupon:
    """The coupon of a redemption that is made."""
    found = await redeemed(reward, key, now=now)
    [coupon] = (await rewards.coupons_of(ALICE, [found.id], now=now))[found.id]
    return coupon


async def reserve(
    coupon: Coupon,
    order: str = "o-1",
    *,
    amount: int = 10_000,
    owner: str = "shop",
    key: str = "",
    now: datetime = NOW,
    rules: RewardRules = RULES,
) -> CouponInUse:
    """What a shop is answered that reserves the coupon."""
    command = ReserveCoupon(
        owner=owner,
        code=coupon.code,
        order_reference=order,
        amount_fen=amount,
        idempotency_key=key or f"r-{coupon.id}-{order[:9]}-{amount}-{now:%d%H%M%S%f}",
    )
    return await rewards.reserve_coupon(command, rules_in_force=rules, now=now)


def using(coupon: Coupon, order: str = "o-1", *, owner: str = "shop", key: str = "") -> UseCoupon:
    """The command to confirm or to release."""
    return UseCoupon(
        owner=owner,
        code=coupon.code,
        order_reference=order,
        idempotency_key=key or f"u-{coupon.id}-{order}-{owner}",
    )


async def stock(reward: RewardDefinition) -> int | None:
    """How many are left."""
    return (await rewards.stock_left([reward.id]))[reward.id]


async def points(*, member_id: UUID = ALICE, now: datetime = NOW) -> int:
    """What is available, of an account that is sound."""
    assert await verify_account(member_id) == []
    found: Balance = await balance(member_id, now=now)
    return found.available
