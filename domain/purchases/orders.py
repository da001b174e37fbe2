"""Orders as shops send them: values, the rules that they must keep, and what makes two the same.

Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain import idempotency
from domain.errors import (
    AmountInvalid,
    CurrencyMismatch,
    FutureDated,
    InvalidInput,
    LinesInvalid,
    QuantityInvalid,
    Refusal,
    TextInvalid,
)
from domain.members import MemberRef, as_named
from domain.texts import is_identity, is_storable

AMOUNT_FEN_MAX = 2**53 - 1
QUANTITY_MAX = 2**31 - 1
EXTERNAL_ID_LENGTH_MAX = 128
LINE_ID_LENGTH_MAX = 128
PRODUCT_CODE_LENGTH_MAX = 64
SHOP_LENGTH_MAX = 128
CHANNEL_LENGTH_MAX = 64
FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far a shop's clock may be ahead of ours."""
PLACED_AT_MIN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line: what was sold, how many, and for how much in all (fen, before order discounts)."""

    line_id: str
    product_code: str
    quantity: int
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order. `paid_fen` is what was paid for it; `currency` None is the programme's."""

    external_id: str
    member: MemberRef
    placed_at: datetime
    paid_fen: int
    lines: Sequence[OrderLine]
    currency: str | None = None
    channel: str | None = None
    shop: str | None = None


def refusal_of(order: Order, *, currency: str, lines_max: int, now: datetime) -> Refusal | None:
    """Why the order cannot be recorded, judged by itself; None where it is sound.

    The first rule that it breaks, in this order: texts, date, currency, lines, quantities, amounts.
    """
    return (
        _text_refusal(order)
        or date_refusal(order.placed_at, field="placed_at", now=now)
        or _currency_refusal(order, currency)
        or _lines_refusal(order, lines_max=lines_max)
        or _number_refusal(order)
    )


def order_digests(order: Order, *, currency: str) -> dict[str, str]:
    """A digest per field, the same for the same order whether it is sound or not.

    The order of the lines does not count, nor does naming the programme's currency.
    """
    lines = sorted(order.lines, key=lambda line: line.line_id)
    return idempotency.digests(
        {
            "external_id": digestible(order.external_id),
            "member": as_named(order.member),
            "placed_at": microseconds(order.placed_at),
            "paid": digestible(order.paid_fen),
            "currency": digestible(order.currency or currency),
            "channel": digestible(order.channel),
            "shop": digestible(order.shop),
            "lines": [
                [
                    digestible(line.line_id),
                    digestible(line.product_code),
                    digestible(line.quantity),
                    digestible(line.amount_fen),
                ]
                for line in lines
            ],
        }
    )


def _text_refusal(order: Order) -> Refusal | None:
    if not is_identity(order.external_id, characters_max=EXTERNAL_ID_LENGTH_MAX):
        return identity_invalid(("external_id",), EXTERNAL_ID_LENGTH_MAX)
    for name, text, length_max in (
        ("channel", order.channel, CHANNEL_LENGTH_MAX),
        ("shop", order.shop, SHOP_LENGTH_MAX),
    ):
        if text is not None and not is_storable(text, characters_max=length_max):
            return text_invalid((name,), length_max)
    for at, line in enumerate(order.lines):
        if not is_identity(line.line_id, characters_max=LINE_ID_LENGTH_MAX):
            return identity_invalid(("lines", str(at), "line_id"), LINE_ID_LENGTH_MAX)
        if not is_storable(line.product_code, characters_max=PRODUCT_CODE_LENGTH_MAX):
            return text_invalid(("lines", str(at), "product_code"), PRODUCT_CODE_LENGTH_MAX)
    return None


def text_invalid(path: tuple[str, ...], length_max: int) -> Refusal:
    """The refusal of a text that cannot be stored."""
    return TextInvalid(field=path, rule=f"1 to {length_max} characters of plain text")


def identity_invalid(path: tuple[str, ...], length_max: int) -> Refusal:
    """The refusal of an id that cannot be stored, or has what nobody sees."""
    rule = f"1 to {length_max} characters of plain text, none of them invisible"
    return TextInvalid(field=path, rule=rule)


def date_refusal(moment: datetime, *, field: str, now: datetime) -> Refusal | None:
    """Why a shop cannot mean this moment: it is to come, or before 1970."""
    if moment > now + FUTURE_TOLERANCE:
        return FutureDated(field=(field,))
    if moment < PLACED_AT_MIN:
        return InvalidInput(field=(field,), rule="1970 or later")
    return None


def _currency_refusal(order: Order, currency: str) -> Refusal | None:
    if order.currency is None or order.currency == currency:
        return None
    return CurrencyMismatch(field=("currency",), currency=order.currency, expected=currency)


def _lines_refusal(order: Order, *, lines_max: int) -> Refusal | None:
    if not 1 <= len(order.lines) <= lines_max:
        return LinesInvalid(field=("lines",), rule=f"1 to {lines_max} lines")
    if len({line.line_id for line in order.lines}) < len(order.lines):
        return LinesInvalid(field=("lines",), rule="every line has an id of its own")
    return None


def _number_refusal(order: Order) -> Refusal | None:
    for at, line in enumerate(order.lines):
        if not 0 <= line.quantity <= QUANTITY_MAX:
            return QuantityInvalid(field=("lines", str(at), "quantity"), quantity=line.quantity)
    for at, line in enumerate(order.lines):
        if not 0 <= line.amount_fen <= AMOUNT_FEN_MAX:
            return AmountInvalid(field=("lines", str(at), "amount"), amount_fen=line.amount_fen)
    if not 0 <= order.paid_fen <= AMOUNT_FEN_MAX:
        return AmountInvalid(field=("paid",), amount_fen=order.paid_fen)
    return None


def microseconds(moment: datetime) -> int:
    """The moment as a number, which no time zone takes out of range."""
    return (moment - PLACED_AT_MIN) // timedelta(microseconds=1)


def digestible(value: object) -> object:
    """What canonical JSON can hold: whole numbers beyond 64 bits and lone surrogates it cannot."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode()
    return value
