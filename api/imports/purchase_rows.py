"""One row of a purchase file as a line of an order, or why it is none. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from api.imports.mapping import ColumnMapping
from api.imports.reading import Values
from api.imports.rejects import Reject, RejectCode
from api.imports.values import EPOCH, fen_of, is_negative, is_zero, microseconds_of, whole_of
from domain.purchases import (
    AMOUNT_FEN_MAX,
    CHANNEL_LENGTH_MAX,
    EXTERNAL_ID_LENGTH_MAX,
    FUTURE_TOLERANCE,
    LINE_ID_LENGTH_MAX,
    PRODUCT_CODE_LENGTH_MAX,
    QUANTITY_MAX,
    SHOP_LENGTH_MAX,
)
from domain.texts import is_storable

MEMBER_LENGTH_MAX = 128


class PurchaseLine(NamedTuple):
    """A line of an order. `line_id` None: the file names none, one is made later."""

    order_id: str
    line_id: str | None
    member: str
    product_code: str
    quantity: int
    amount_fen: int
    placed_us: int
    shop: str | None
    channel: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseForm:
    """How a file writes what is not the same everywhere.

    `zone` is that of dates without an offset, `date_form` in the words of strptime (None: ISO
    8601), `guests` are the member values that mean that nobody is known.
    """

    zone: ZoneInfo
    date_form: str | None = None
    guests: Collection[str] = ()


class _Refused(Exception):
    def __init__(self, code: RejectCode, reason: str) -> None:
        self.reject = Reject(code.value, reason)


class PurchaseRows:
    """Reads rows whose values stand in the order of `mapping.columns`."""

    def __init__(self, mapping: ColumnMapping, form: PurchaseForm, *, now: datetime) -> None:
        self._positions = {field: mapping.positions(field) for field in _FIELDS}
        self._by_unit_price = "unit-price" in mapping
        self._names_lines = "line" in mapping
        self._form = form
        self._latest_us = (now + FUTURE_TOLERANCE - EPOCH) // EPOCH.resolution

    def read(self, values: Values) -> PurchaseLine | Reject:
        """The line; or the first reason, in the order of the fields below, why it is none."""
        try:
            return PurchaseLine(
                order_id=self._text("order", values, EXTERNAL_ID_LENGTH_MAX),
                line_id=self._line_id(values),
                member=self._member(values),
                product_code=self._text("product", values, PRODUCT_CODE_LENGTH_MAX),
                quantity=(quantity := self._quantity(values)),
                amount_fen=self._amount_fen(values, quantity),
                placed_us=self._placed_us(values),
                shop=self._optional_text("shop", values, SHOP_LENGTH_MAX),
                channel=self._optional_text("channel", values, CHANNEL_LENGTH_MAX),
            )
        except _Refused as refused:
            return refused.reject

    def place_of(self, values: Values) -> tuple[str, str] | None:
        """The order id and product code of a refused row, as far as it tells both.

        Lines without an id are numbered within their order and product; a refused row counts, so
        that the numbers stay when it is mended and the file imported again.
        """
        order, product = self._value("order", values), self._value("product", values)
        if (
            order is not None
            and product is not None
            and is_storable(order, characters_max=EXTERNAL_ID_LENGTH_MAX)
            and is_storable(product, characters_max=PRODUCT_CODE_LENGTH_MAX)
        ):
            return order, product
        return None

    def _value(self, field: str, values: Values) -> str | None:
        """The field's first value that is not blank, without the spaces around it."""
        for position in self._positions[field]:
            text = values[position]
            if text and (stripped := text.strip()):
                return stripped
        return None

    def _required(self, field: str, values: Values) -> str:
        for position in self._positions[field]:
            text = values[position]
            if text and (stripped := text.strip()):
                return stripped
        raise _Refused(_MISSING[field], f"{field} is empty")

    def _text(self, field: str, values: Values, length_max: int) -> str:
        return _sound(field, self._required(field, values), length_max)

    def _optional_text(self, field: str, values: Values, length_max: int) -> str | None:
        text = self._value(field, values)
        return None if text is None else _sound(field, text, length_max)

    def _line_id(self, values: Values) -> str | None:
        return self._text("line", values, LINE_ID_LENGTH_MAX) if self._names_lines else None

    def _member(self, values: Values) -> str:
        member = self._required("member", values)
        if member in self._form.guests:
            raise _Refused(RejectCode.GUEST, f"member {member} means a guest")
        return _sound("member", member, MEMBER_LENGTH_MAX)

    def _quantity(self, values: Values) -> int:
        text = self._required("quantity", values)
        quantity = whole_of(text)
        if quantity is None or not 0 <= quantity <= QUANTITY_MAX:
            raise _Refused(
                RejectCode.QUANTITY_INVALID,
                f"quantity {_shown(text)} is not a whole number from 0 to {QUANTITY_MAX}",
            )
        return quantity

    def _amount_fen(self, values: Values, quantity: int) -> int:
        field = "unit-price" if self._by_unit_price else "amount"
        text = self._required(field, values)
        fen = fen_of(text, quantity if self._by_unit_price else 1)
        if fen is None:
            raise _Refused(RejectCode.AMOUNT_INVALID, f"{field} {_shown(text)} is not a number")
        if is_negative(text):
            raise _Refused(RejectCode.AMOUNT_INVALID, f"{field} {_shown(text)} is negative")
        if fen > AMOUNT_FEN_MAX:
            raise _Refused(
                RejectCode.AMOUNT_INVALID, f"{field} {_shown(text)} is above {AMOUNT_FEN_MAX} fen"
            )
        if self._by_unit_price and is_zero(text):
            raise _Refused(RejectCode.PRICE_ZERO, f"{field} is 0: the line has no price")
        return fen

    def _placed_us(self, values: Values) -> int:
        text = self._required("placed", values)
        placed_us = microseconds_of(text, zone=self._form.zone, form=self._form.date_form)
        if placed_us is None:
            raise _Refused(RejectCode.DATE_INVALID, f"placed {_shown(text)} is not a date and time")
        if placed_us < 0:
            raise _Refused(RejectCode.DATE_INVALID, f"placed {_shown(text)} is before 1970")
        if placed_us > self._latest_us:
            raise _Refused(RejectCode.FUTURE_DATED, f"placed {_shown(text)} is in the future")
        return placed_us


_FIELDS = (
    "order",
    "line",
    "member",
    "product",
    "quantity",
    "amount",
    "unit-price",
    "placed",
    "shop",
    "channel",
)
_MISSING = {
    "order": RejectCode.ORDER_MISSING,
    "line": RejectCode.LINE_MISSING,
    "member": RejectCode.MEMBER_MISSING,
    "product": RejectCode.PRODUCT_MISSING,
    "quantity": RejectCode.QUANTITY_MISSING,
    "amount": RejectCode.AMOUNT_MISSING,
    "unit-price": RejectCode.AMOUNT_MISSING,
    "placed": RejectCode.DATE_MISSING,
}


@lru_cache(maxsize=65_536)
def _is_sound(text: str, length_max: int) -> bool:
    """Members, products and shops come again and again."""
    return is_storable(text, characters_max=length_max)


def _sound(field: str, text: str, length_max: int) -> str:
    if not _is_sound(text, length_max):
        raise _Refused(
            RejectCode.TEXT_INVALID, f"{field} is not plain text of 1 to {length_max} characters"
        )
    return text


def _shown(text: str) -> str:
    """Enough of a bad value to find it by, safe to print."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
