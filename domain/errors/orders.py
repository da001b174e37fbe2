"""Orders that cannot be recorded as they were sent."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class OrderRefusal(Refusal):
    """The branch of orders that cannot be recorded as they were sent."""


@dataclass(eq=False, kw_only=True)
class AmountInvalid(OrderRefusal):
    """Returned when an amount is out of its range: of money, 0 to 2^53−1 fen; of what is won, 1 to
    what one grant may be.
    """

    code = ErrorCode.AMOUNT_INVALID
    amount_fen: int


@dataclass(eq=False, kw_only=True)
class QuantityInvalid(OrderRefusal):
    """Returned when a quantity is negative or above 2^31−1."""

    code = ErrorCode.QUANTITY_INVALID
    quantity: int


@dataclass(eq=False, kw_only=True)
class FutureDated(OrderRefusal):
    """Returned when something happened more than five minutes after the server's present."""

    code = ErrorCode.FUTURE_DATED


@dataclass(eq=False, kw_only=True)
class CurrencyMismatch(OrderRefusal):
    """Returned when an order is in another currency than the programme's."""

    code = ErrorCode.CURRENCY_MISMATCH
    currency: str
    expected: str


@dataclass(eq=False, kw_only=True)
class TextInvalid(OrderRefusal):
    """Returned when a code or a name is empty, too long or not plain text; `rule` says which."""

    code = ErrorCode.TEXT_INVALID
    rule: str


@dataclass(eq=False, kw_only=True)
class LinesInvalid(OrderRefusal):
    """Returned when an order has no line, too many lines, or one line id twice."""

    code = ErrorCode.LINES_INVALID
    rule: str
