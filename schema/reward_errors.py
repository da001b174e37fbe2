"""What refusals of rewards, redemptions and coupons tell beside their message."""

from __future__ import annotations

from datetime import datetime

import strawberry

from domain import errors
from schema.errors import UserError, tells
from schema.fields import computed, object_type
from schema.policies import PUBLIC
from schema.scalars import Fen
from schema.tiers import Level


@tells(errors.RewardClosed)
@object_type(policy=PUBLIC)
class RewardClosed(UserError):
    """The reward cannot be redeemed at this time."""

    begins_at: datetime | None
    """The first moment at which it can be; null where it has no beginning."""

    ends_at: datetime | None
    """The first moment at which it no longer can be; null where it has no end."""


@tells(errors.OutOfStock)
@object_type(policy=PUBLIC)
class OutOfStock(UserError):
    """Fewer are left than were asked for."""

    left: int
    """How many are left."""


@tells(errors.LevelTooLow)
@object_type(policy=PUBLIC)
class LevelTooLow(UserError):
    """The reward is for members of a higher level."""

    required: Level
    """The level from which on it may be redeemed."""


@tells(errors.RewardLimitReached)
@object_type(policy=PUBLIC)
class RewardLimitReached(UserError):
    """One member may not have so many of the reward."""

    limit: int
    """How many one member may have."""

    taken: int
    """How many the member has, without those that were cancelled."""


@tells(errors.RewardChanged)
@object_type(policy=PUBLIC)
class RewardChanged(UserError):
    """Somebody changed the reward meanwhile: read it again."""

    version: int
    """Where it stands now."""


@tells(errors.AddressLimitReached)
@object_type(policy=PUBLIC)
class AddressLimitReached(UserError):
    """The member keeps as many addresses as one may: remove one first."""

    limit: int
    """How many one may keep."""


@tells(errors.RedemptionNotCancellable)
@object_type(policy=PUBLIC)
class RedemptionNotCancellable(UserError):
    """The redemption was cancelled before, was shipped, or a coupon of it is not whole."""

    state: str
    """Its status, or `COUPON_` and the status of a coupon, for example `COUPON_USED`."""


@tells(errors.RedemptionNotOpen)
@object_type(policy=PUBLIC)
class RedemptionNotOpen(UserError):
    """The redemption is not where this step begins."""

    state: str
    """Its status."""


@tells(errors.CouponExpired)
@object_type(policy=PUBLIC)
class CouponExpired(UserError):
    """The coupon was not used in time."""

    expired_at: datetime
    """The first moment at which it could no longer be used."""


@tells(errors.CouponReserved)
@object_type(policy=PUBLIC)
class CouponReserved(UserError):
    """Another order has the coupon."""

    until: datetime
    """When it lets go at the latest, if it does not use it."""


@tells(errors.CouponBelowMinimum)
@object_type(policy=PUBLIC)
class CouponBelowMinimum(UserError):
    """The order's amount is too small for the coupon."""

    minimum_fen: strawberry.Private[int]

    @computed(PUBLIC)
    def minimum(self) -> Fen:
        """The least amount that it is good for."""
        return Fen(self.minimum_fen)
