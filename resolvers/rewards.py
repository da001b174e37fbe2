"""Rewards, and the coupons of a member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain import rewards, tiers
from domain.paging import Page, PageRequest
from domain.tiers import LevelDefinition
from resolvers.context import RequestContext
from resolvers.owning import own_id


async def rewards_page(context: RequestContext, page: PageRequest) -> Page[rewards.Reward]:
    """A page of what may be redeemed now, the cheapest first."""
    return await rewards.rewards(page, now=context.now)


async def level(context: RequestContext, code: str | None) -> LevelDefinition | None:
    """The level with this code; all levels are read once per request."""
    if code is None:
        return None
    levels = await context.once.read("levels", tiers.read_levels)
    return next((one for one in levels if one.code == code), None)


async def coupons(
    context: RequestContext,
    member_id: UUID,
    page: PageRequest,
    *,
    status: rewards.CouponStatus | None,
) -> Page[rewards.Coupon]:
    """A page of the member's coupons, soonest to expire first."""
    return await rewards.coupons(member_id, page, status=status, now=context.now)


async def coupon_node(context: RequestContext, key: tuple[UUID, UUID]) -> rewards.Coupon | None:
    """The coupon with this key, when it is the caller's own."""
    member_id, coupon_id = key
    # A coupon goes over with its member's record.
    mine = await own_id(context, member_id)
    if mine is None:
        return None
    return await rewards.coupon(mine, coupon_id=coupon_id, now=context.now)


async def reserve_coupon(
    context: RequestContext, command: rewards.ReserveCoupon
) -> rewards.CouponInUse:
    """Set a coupon aside for an order of the shop that asks."""
    in_force = context.services.reward_rules
    return await rewards.reserve_coupon(command, rules_in_force=in_force, now=context.now)


async def confirm_coupon(
    context: RequestContext, command: rewards.UseCoupon
) -> rewards.CouponInUse:
    """Use a coupon up that the shop has reserved."""
    return await rewards.confirm_coupon(command, now=context.now)


async def release_coupon(
    context: RequestContext, command: rewards.UseCoupon
) -> rewards.CouponInUse:
    """Let a coupon go that the shop has reserved."""
    return await rewards.release_coupon(command, now=context.now)


async def define_reward(
    context: RequestContext, definition: rewards.RewardDefinition
) -> rewards.Reward:
    """Add a reward, by the member of staff who asks."""
    return await rewards.define_reward(definition, by=context.actor(), now=context.now)


async def change_reward(
    context: RequestContext, reward_id: UUID, *, version: int, changes: Mapping[str, Any]
) -> rewards.Reward:
    """Change a reward, by the member of staff who asks."""
    command = rewards.ChangeReward(reward_id=reward_id, version=version, changes=changes)
    return await rewards.change_reward(command, by=context.actor(), now=context.now)
