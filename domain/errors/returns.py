"""Refunds that cannot be recorded as they were sent."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class RefundRefusal(Refusal):
    """The branch of refunds that cannot be recorded as they were sent."""


@dataclass(eq=False, kw_only=True)
class OrderUnknown(RefundRefusal):
    """Returned when this shop has recorded no such order, or its member is no more."""

    code = ErrorCode.ORDER_UNKNOWN


@dataclass(eq=False, kw_only=True)
class RefundExceeds(RefundRefusal):
    """Returned when more is given back than is left of what was paid for the order."""

    code = ErrorCode.REFUND_EXCEEDS
    left_fen: int


@dataclass(eq=False, kw_only=True)
class RefundLineUnknown(RefundRefusal):
    """Returned when the order has no line of this id."""

    code = ErrorCode.REFUND_LINE_UNKNOWN


@dataclass(eq=False, kw_only=True)
class RefundLineExceeds(RefundRefusal):
    """Returned when more of a line comes back, in pieces or money, than is left of it."""

    code = ErrorCode.REFUND_LINE_EXCEEDS
    left_quantity: int
    left_fen: int


@dataclass(eq=False, kw_only=True)
class RefundBeforeOrder(RefundRefusal):
    """Returned when the money was given back before the order was placed."""

    code = ErrorCode.REFUND_BEFORE_ORDER
