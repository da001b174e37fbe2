"""Coupons of a member."""

from __future__ import annotations

from uuid import UUID

from domain import rewards
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.owning import own_id


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
