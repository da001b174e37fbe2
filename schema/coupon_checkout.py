"""Coupons at the till: a shop reserves one for an order, then confirms or releases it."""

from __future__ import annotations

from datetime import datetime

import strawberry

from domain import rewards
from domain.rewards import CouponStatus
from resolvers import rewards as resolvers
from resolvers.holds import owner
from schema.cost import Cost
from schema.fields import Info, computed, input_type, object_type, view
from schema.money import Money
from schema.mutations import Payload, mutation
from schema.node import encode_global_id
from schema.policies import scope
from schema.rewards import Coupon
from schema.scalars import Fen

USES_COUPONS = scope("coupons:use")


@input_type()
class ReserveCouponInput:
    """Which coupon to set aside for what."""

    code: str
    """The coupon's code, however it was typed: case, blanks and hyphens do not matter."""

    order_reference: str
    """The shop's own number of the order, 1 to 128 characters."""

    amount: Fen
    """What the discount is to be taken off from."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the shop's choice: sent again, it gives the same answer."""


@input_type()
class ConfirmCouponInput:
    """Which coupon to use up."""

    code: str
    """The coupon's code."""

    order_reference: str
    """The order that has reserved it."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the shop's choice: sent again, it gives the same answer."""


@input_type()
class ReleaseCouponInput:
    """Which coupon to let go."""

    code: str
    """The coupon's code."""

    order_reference: str
    """The order that has reserved it."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the shop's choice: sent again, it gives the same answer."""


@object_type(policy=USES_COUPONS)
class CheckoutCoupon:
    """A coupon as a shop sees it, as it was when the shop was answered."""

    status: CouponStatus
    """Where it stands."""

    reserved_until: datetime | None
    """The first moment at which the order no longer has it, unless it was used."""

    @computed(USES_COUPONS)
    def id(self) -> strawberry.ID:
        """The id of the coupon, which the member can look up."""
        coupon: rewards.CouponInUse = view(self)
        return encode_global_id(Coupon.__name__, coupon.key)

    @computed(USES_COUPONS, cost=Cost(own=1))
    async def discount(self, info: Info) -> Money | None:
        """What it takes off; null where no order has it, 0 for a voucher."""
        coupon: rewards.CouponInUse = view(self)
        if coupon.discount_fen is None:
            return None
        programme = await info.context.programme()
        return Money(amount=Fen(coupon.discount_fen), currency=programme.currency)


@object_type(policy=USES_COUPONS)
class ReserveCouponPayload(Payload):
    """What setting a coupon aside led to."""

    coupon: CheckoutCoupon | None = None
    """The coupon; null when it was refused."""


@object_type(policy=USES_COUPONS)
class ConfirmCouponPayload(Payload):
    """What using a coupon up led to."""

    coupon: CheckoutCoupon | None = None
    """The coupon; null when it was refused."""


@object_type(policy=USES_COUPONS)
class ReleaseCouponPayload(Payload):
    """What letting a coupon go led to."""

    coupon: CheckoutCoupon | None = None
    """The coupon; null when it was refused."""


@mutation(USES_COUPONS)
async def reserve_coupon(info: Info, input: ReserveCouponInput) -> ReserveCouponPayload:
    """Set a coupon aside for an order, for half an hour where the programme says nothing else."""
    command = rewards.ReserveCoupon(
        owner=owner(info.context),
        code=input.code,
        order_reference=input.order_reference,
        amount_fen=input.amount,
        idempotency_key=input.idempotency_key,
    )
    coupon: CheckoutCoupon = view(await resolvers.reserve_coupon(info.context, command))
    return ReserveCouponPayload(coupon=coupon)


@mutation(USES_COUPONS)
async def confirm_coupon(info: Info, input: ConfirmCouponInput) -> ConfirmCouponPayload:
    """Use a coupon up for the order that has reserved it."""
    command = _command(info, input)
    coupon: CheckoutCoupon = view(await resolvers.confirm_coupon(info.context, command))
    return ConfirmCouponPayload(coupon=coupon)


@mutation(USES_COUPONS)
async def release_coupon(info: Info, input: ReleaseCouponInput) -> ReleaseCouponPayload:
    """Let a coupon go that an order has reserved and does not use."""
    command = _command(info, input)
    coupon: CheckoutCoupon = view(await resolvers.release_coupon(info.context, command))
    return ReleaseCouponPayload(coupon=coupon)


def _command(info: Info, input: ConfirmCouponInput | ReleaseCouponInput) -> rewards.UseCoupon:
    return rewards.UseCoupon(
        owner=owner(info.context),
        code=input.code,
        order_reference=input.order_reference,
        idempotency_key=input.idempotency_key,
    )
