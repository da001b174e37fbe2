"""Rewards that cannot be redeemed, redemptions that cannot go on, coupons that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class RewardRefusal(Refusal):
    """The branch of rewards that cannot be redeemed, and redemptions that cannot go on."""


@dataclass(eq=False, kw_only=True)
class RewardUnknown(RewardRefusal):
    """Returned when there is no reward with this id."""

    code = ErrorCode.REWARD_UNKNOWN


@dataclass(eq=False, kw_only=True)
class RewardClosed(RewardRefusal):
    """Returned when the reward cannot be redeemed yet (`begins_at`), or no longer (`ends_at`)."""

    code = ErrorCode.REWARD_CLOSED
    begins_at: datetime | None
    ends_at: datetime | None


@dataclass(eq=False, kw_only=True)
class OutOfStock(RewardRefusal):
    """Returned when fewer are `left` than were asked for."""

    code = ErrorCode.OUT_OF_STOCK
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelNeeded:
    """A level with what it asks for, as a refusal tells it."""

    code: str
    rank: int
    name_zh: str
    name_en: str
    threshold: int
    amount_fen: int | None
    purchases: int | None
    match: StrEnum


@dataclass(eq=False, kw_only=True)
class LevelTooLow(RewardRefusal):
    """Returned when the reward is for members of the level `required` and above."""

    code = ErrorCode.LEVEL_TOO_LOW
    required: LevelNeeded


@dataclass(eq=False, kw_only=True)
class RewardLimitReached(RewardRefusal):
    """Returned when a member would have more of a reward than `limit`; `taken` they have."""

    code = ErrorCode.REWARD_LIMIT_REACHED
    limit: int
    taken: int


@dataclass(eq=False, kw_only=True)
class RewardExists(RewardRefusal):
    """Returned when another reward has this code."""

    code = ErrorCode.REWARD_EXISTS
    reward: str


@dataclass(eq=False, kw_only=True)
class RewardChanged(RewardRefusal):
    """Returned when somebody changed the reward meanwhile: it is at `version` now."""

    code = ErrorCode.REWARD_CHANGED
    version: int


@dataclass(eq=False, kw_only=True)
class AddressUnknown(RewardRefusal):
    """Returned when the member has no address with this id."""

    code = ErrorCode.ADDRESS_UNKNOWN


@dataclass(eq=False, kw_only=True)
class AddressLimitReached(RewardRefusal):
    """Returned when the member has as many addresses as one may have."""

    code = ErrorCode.ADDRESS_LIMIT_REACHED
    limit: int


@dataclass(eq=False, kw_only=True)
class RedemptionUnknown(RewardRefusal):
    """Returned when the member has no redemption with this id."""

    code = ErrorCode.REDEMPTION_UNKNOWN


@dataclass(eq=False, kw_only=True)
class RedemptionNotCancellable(RewardRefusal):
    """Returned when a redemption was cancelled before, was shipped, or a coupon of it is not whole.

    `state` is the redemption's status, or `COUPON_` and that of a coupon.
    """

    code = ErrorCode.REDEMPTION_NOT_CANCELLABLE
    state: str


@dataclass(eq=False, kw_only=True)
class RedemptionNotOpen(RewardRefusal):
    """Returned when a redemption is not where this step begins (`state` is its status)."""

    code = ErrorCode.REDEMPTION_NOT_OPEN
    state: str


@dataclass(eq=False, kw_only=True)
class CouponRefusal(Refusal):
    """The branch of coupons that cannot be used as is asked."""


@dataclass(eq=False, kw_only=True)
class CouponUnknown(CouponRefusal):
    """Returned when no coupon has this code, or none that this shop has reserved."""

    code = ErrorCode.COUPON_UNKNOWN


@dataclass(eq=False, kw_only=True)
class CouponExpired(CouponRefusal):
    """Returned when the coupon was not used in time."""

    code = ErrorCode.COUPON_EXPIRED
    expired_at: datetime


@dataclass(eq=False, kw_only=True)
class CouponUsed(CouponRefusal):
    """Returned when the coupon was used."""

    code = ErrorCode.COUPON_USED


@dataclass(eq=False, kw_only=True)
class CouponRevoked(CouponRefusal):
    """Returned when the coupon was taken back."""

    code = ErrorCode.COUPON_REVOKED


@dataclass(eq=False, kw_only=True)
class CouponReserved(CouponRefusal):
    """Returned when another order has the coupon, `until` it lets go or the time is over."""

    code = ErrorCode.COUPON_RESERVED
    retryable: ClassVar[bool] = True
    until: datetime


@dataclass(eq=False, kw_only=True)
class CouponNotReserved(CouponRefusal):
    """Returned when the order has not reserved the coupon, or not in time: reserve it again."""

    code = ErrorCode.COUPON_NOT_RESERVED


@dataclass(eq=False, kw_only=True)
class CouponBelowMinimum(CouponRefusal):
    """Returned when the order's amount is below the `minimum_fen` that the coupon asks for."""

    code = ErrorCode.COUPON_BELOW_MINIMUM
    minimum_fen: int


@dataclass(eq=False, kw_only=True)
class CouponNotStackable(CouponRefusal):
    """Returned when the order has a coupon already, and neither of the two goes with others."""

    code = ErrorCode.COUPON_NOT_STACKABLE
