"""What may become of a coupon and of a redemption, decided purely.

A coupon is ACTIVE until an order reserves it, which uses it up or lets it go. Two things happen
by time alone: a reservation that is neither confirmed nor released runs out, and an ACTIVE coupon
expires. A reservation that was made in time is honoured until it runs out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.errors import (
    CouponBelowMinimum,
    CouponExpired,
    CouponNotReserved,
    CouponReserved,
    CouponRevoked,
    CouponUnknown,
    CouponUsed,
    RedemptionNotCancellable,
)

PERMILLE: Final = 1_000


class CouponStatus(StrEnum):
    """Where a coupon stands; what time alone changes is so without a write."""

    ACTIVE = "ACTIVE"
    RESERVED = "RESERVED"
    USED = "USED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class CouponOff(StrEnum):
    """How a coupon's value is read."""

    AMOUNT = "AMOUNT"
    """So many fen off."""
    SHARE = "SHARE"
    """So many thousandths of the amount off."""


class RewardKind(StrEnum):
    """What a redemption gives."""

    GIFT = "GIFT"
    """A thing that is sent to an address."""
    COUPON = "COUPON"
    """A coupon with a discount."""
    PERK = "PERK"
    """Something that staff grants: its coupon is a voucher without a discount."""
    PARTNER_PRIZE = "PARTNER_PRIZE"
    """Something that a partner gives out: its coupon is a voucher without a discount."""


class RedemptionStatus(StrEnum):
    """Where a redemption stands."""

    AWAITING_ADDRESS = "AWAITING_ADDRESS"
    """A gift that nobody has said where to send."""
    PLACED = "PLACED"
    """A gift that is to be sent."""
    SHIPPED = "SHIPPED"
    """A gift that is on its way."""
    DELIVERED = "DELIVERED"
    """A gift that has arrived."""
    FULFILLED = "FULFILLED"
    """Its coupons were given out at once."""
    CANCELLED = "CANCELLED"
    """It was taken back, and the points were given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponValue:
    """What a coupon takes off; without `off` nothing: it is a voucher.

    `value` is in fen for AMOUNT, in permille for SHARE. It asks for an amount of at least
    `amount_min_fen`, and takes off no more than `discount_max_fen` where that is set.
    """

    off: CouponOff | None = None
    value: int = 0
    amount_min_fen: int = 0
    discount_max_fen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The order of a shop (its code) that a coupon is used for; the reference is the shop's own."""

    owner: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponState:
    """A coupon as far as its use is decided by it; the last four are set by a reservation."""

    status: CouponStatus
    expires_at: datetime
    value: CouponValue
    order: Order | None = None
    amount_fen: int | None = None
    discount_fen: int | None = None
    reserved_until: datetime | None = None


def discount_fen(value: CouponValue, *, amount_fen: int) -> int:
    """What the coupon takes off the amount: never more than the amount, rounded down."""
    match value.off:
        case CouponOff.AMOUNT:
            off = value.value
        case CouponOff.SHARE:
            off = amount_fen * value.value // PERMILLE
        case None:
            off = 0
    return min(off, amount_fen, off if value.discount_max_fen is None else value.discount_max_fen)


def as_of(coupon: CouponState, *, now: datetime) -> CouponState:
    """The coupon with what time alone did to it."""
    if (
        coupon.status is CouponStatus.RESERVED
        and coupon.reserved_until is not None
        and coupon.reserved_until <= now
    ):
        coupon = _let_go(coupon)
    if coupon.status is CouponStatus.ACTIVE and coupon.expires_at <= now:
        return replace(coupon, status=CouponStatus.EXPIRED)
    return coupon


def reserve(
    coupon: CouponState, order: Order, *, amount_fen: int, lasting: timedelta, now: datetime
) -> CouponState:
    """Set the coupon aside for an order. The order that has it, with this amount, keeps it as is.

    With another amount it has it anew, but once the coupon's own time is over for no longer than
    it had. Refused: CouponUsed, CouponRevoked, CouponExpired, CouponReserved, CouponBelowMinimum.
    """
    coupon = as_of(coupon, now=now)
    match coupon.status:
        case CouponStatus.RESERVED if coupon.order == order and coupon.amount_fen == amount_fen:
            return coupon
        case CouponStatus.RESERVED if coupon.order != order:
            assert coupon.reserved_until is not None
            raise CouponReserved(until=coupon.reserved_until, field=("code",))
        case CouponStatus.USED | CouponStatus.REVOKED | CouponStatus.EXPIRED:
            _refuse(coupon)
    until = now + lasting
    if coupon.status is CouponStatus.RESERVED and coupon.expires_at <= now:
        until = coupon.reserved_until or until
    if amount_fen < coupon.value.amount_min_fen:
        raise CouponBelowMinimum(minimum_fen=coupon.value.amount_min_fen, field=("amount",))
    return replace(
        coupon,
        status=CouponStatus.RESERVED,
        order=order,
        amount_fen=amount_fen,
        discount_fen=discount_fen(coupon.value, amount_fen=amount_fen),
        reserved_until=until,
    )


def confirm(coupon: CouponState, order: Order, *, now: datetime) -> CouponState:
    """Use the coupon up for the order that has reserved it; for that order it stays used.

    Refused: CouponUnknown (another shop's), CouponReserved (another order's), CouponUsed,
    CouponRevoked, CouponExpired, CouponNotReserved.
    """
    coupon = _of_order(as_of(coupon, now=now), order)
    return replace(coupon, status=CouponStatus.USED)


def release(coupon: CouponState, order: Order, *, now: datetime) -> CouponState:
    """Let the coupon go: it is ACTIVE again, or EXPIRED where its time is over.

    A reservation that ran out may be released as well, while no other order has the coupon.
    Refused as confirm, but for what this very order has used: CouponUsed.
    """
    if coupon.status is CouponStatus.RESERVED and coupon.order == order:
        return as_of(_let_go(coupon), now=now)
    _of_order(as_of(coupon, now=now), order)
    raise CouponUsed(field=("code",))


def revoke(coupon: CouponState, *, now: datetime) -> CouponState:
    """Take back a coupon that is whole: neither used, nor reserved, nor expired.

    Refused: RedemptionNotCancellable.
    """
    coupon = as_of(coupon, now=now)
    if coupon.status is not CouponStatus.ACTIVE:
        raise RedemptionNotCancellable(state=f"COUPON_{coupon.status}")
    return replace(coupon, status=CouponStatus.REVOKED)


def check_cancellable(status: RedemptionStatus) -> None:
    """Refuse RedemptionNotCancellable for what was cancelled before, or was shipped."""
    if status in {
        RedemptionStatus.CANCELLED,
        RedemptionStatus.SHIPPED,
        RedemptionStatus.DELIVERED,
    }:
        raise RedemptionNotCancellable(state=status.value)


def goes_together(one: bool, others: Iterable[bool]) -> bool:
    """Whether a coupon may join those of an order, by which of them stack: one at most does not."""
    return one or all(others)


def _let_go(coupon: CouponState) -> CouponState:
    return replace(
        coupon,
        status=CouponStatus.ACTIVE,
        order=None,
        amount_fen=None,
        discount_fen=None,
        reserved_until=None,
    )


def _of_order(coupon: CouponState, order: Order) -> CouponState:
    """The coupon, which the order has reserved or used."""
    if coupon.order == order and coupon.status in {CouponStatus.RESERVED, CouponStatus.USED}:
        return coupon
    if coupon.order is not None and coupon.order.owner != order.owner:
        # Who has another shop's coupon in hand learns nothing of it.
        raise CouponUnknown(field=("code",))
    if coupon.status is CouponStatus.RESERVED:
        assert coupon.reserved_until is not None
        raise CouponReserved(until=coupon.reserved_until, field=("code",))
    if coupon.status is CouponStatus.ACTIVE:
        raise CouponNotReserved(field=("code",))
    _refuse(coupon)
    return coupon


def _refuse(coupon: CouponState) -> None:
    match coupon.status:
        case CouponStatus.USED:
            raise CouponUsed(field=("code",))
        case CouponStatus.REVOKED:
            raise CouponRevoked(field=("code",))
        case CouponStatus.EXPIRED:
            raise CouponExpired(expired_at=coupon.expires_at, field=("code",))
