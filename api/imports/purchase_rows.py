"""One row of a purchase file as a line of an order, or why it is none. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, TypeVar
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
from domain.texts import is_identity, is_storable

T = TypeVar("T")

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


class PurchaseRows:
    """Reads rows whose values stand in the order of `mapping.columns`.

    Members, products, amounts and moments come again and again in a file, so each field remembers
    what its texts came to.
    """

    def __init__(self, mapping: ColumnMapping, form: PurchaseForm, *, now: datetime) -> None:
        self._mapping = mapping
        self._form = form
        self._latest_us = (now + FUTURE_TOLERANCE - EPOCH) // EPOCH.resolution
        self._by_unit_price = "unit-price" in mapping
        self._order = self._field("order", _identity("order", EXTERNAL_ID_LENGTH_MAX))
        self._line = self._field("line", _identity("line", LINE_ID_LENGTH_MAX))
        self._member = self._field("member", self._read_member)
        self._product = self._field("product", _text("product", PRODUCT_CODE_LENGTH_MAX))
        self._quantity = self._field("quantity", _read_quantity)
        self._price = self._field("unit-price" if self._by_unit_price else "amount", str)
        self._placed_us = self._field("placed", self._read_placed_us)
        self._shop = self._optional_field("shop", _text("shop", SHOP_LENGTH_MAX))
        self._channel = self._optional_field("channel", _text("channel", CHANNEL_LENGTH_MAX))
        self._names_lines = "line" in mapping

    def read(self, values: Values) -> PurchaseLine | Reject:
        """The line; or the first reason, in the order of these fields, why it is none."""
        try:
            return PurchaseLine(
                self._order(values),
                self._line(values) if self._names_lines else None,
                self._member(values),
                self._product(values),
                quantity := self._quantity(values),
                _amount_fen(
                    self._price(values), quantity=quantity if self._by_unit_price else None
                ),
                self._placed_us(values),
                self._shop(values),
                self._channel(values),
            )
        except _Refused as refused:
            return refused.reject

    def place_of(self, values: Values) -> tuple[str, str] | None:
        """The order id and product code of a refused row, as far as it tells both.

        Lines without an id are numbered within their order and product; a refused row counts, so
        that the numbers stay when it is mended and the file imported again.
        """
        try:
            return self._order(values), self._product(values)
        except _Refused:
            return None

    def _field(self, field: str, read: Callable[[str], T]) -> Callable[[Values], T]:
        """Reads a field that must not be blank: the first of its columns that has a value."""
        found = self._optional_field(field, read)

        def required(values: Values) -> T:
            value = found(values)
            if value is None:
                raise _Refused(_MISSING[field], f"{field} is empty")
            return value

        return required

    def _optional_field(self, field: str, read: Callable[[str], T]) -> Callable[[Values], T | None]:
        """Reads a field that may be blank; spaces around a value are no part of it."""
        positions = self._mapping.positions(field)

        @lru_cache(maxsize=65_536)
        def read_once(text: str | None) -> T | None:
            stripped = text.strip() if text else None
            return read(stripped) if stripped else None

        def first(values: Values) -> T | None:
            for position in positions:
                value = read_once(values[position])
                if value is not None:
                    return value
            return None

        return first

    def _read_member(self, text: str) -> str:
        if text in self._form.guests:
            raise _Refused(RejectCode.GUEST, f"member {text} means a guest")
        return _text("member", MEMBER_LENGTH_MAX)(text)

    def _read_placed_us(self, text: str) -> int:
        placed_us = microseconds_of(text, zone=self._form.zone, form=self._form.date_form)
        if placed_us is None:
            raise _Refused(RejectCode.DATE_INVALID, f"placed {_shown(text)} is not a date and time")
        if placed_us < 0:
            raise _Refused(RejectCode.DATE_INVALID, f"placed {_shown(text)} is before 1970")
        if placed_us > self._latest_us:
            raise _Refused(RejectCode.FUTURE_DATED, f"placed {_shown(text)} is in the future")
        return placed_us


def _text(field: str, length_max: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not is_storable(text, characters_max=length_max):
            raise _Refused(
                RejectCode.TEXT_INVALID,
                f"{field} is not plain text of 1 to {length_max} characters",
            )
        return text

    return read


def _identity(field: str, length_max: int) -> Callable[[str], str]:
    plain = _text(field, length_max)

    def read(text: str) -> str:
        if not is_identity(plain(text), characters_max=length_max):
            raise _Refused(RejectCode.TEXT_INVALID, f"{field} has invisible characters")
        return text

    return read


def _read_quantity(text: str) -> int:
    quantity = whole_of(text)
    if quantity is None or not 0 <= quantity <= QUANTITY_MAX:
        raise _Refused(
            RejectCode.QUANTITY_INVALID,
            f"quantity {_shown(text)} is not a whole number from 0 to {QUANTITY_MAX}",
        )
    return quantity


@lru_cache(maxsize=65_536)
def _amount_fen(text: str, *, quantity: int | None) -> int:
    """The line's amount; with a quantity, `text` is the price of one piece."""
    field = "amount" if quantity is None else "unit-price"
    fen = fen_of(text, 1 if quantity is None else quantity)
    if fen is None:
        raise _Refused(RejectCode.AMOUNT_INVALID, f"{field} {_shown(text)} is not a number")
    if is_negative(text):
        raise _Refused(RejectCode.AMOUNT_INVALID, f"{field} {_shown(text)} is negative")
    if fen > AMOUNT_FEN_MAX:
        raise _Refused(
            RejectCode.AMOUNT_INVALID, f"{field} {_shown(text)} is above {AMOUNT_FEN_MAX} fen"
        )
    if quantity is not None and is_zero(text):
        raise _Refused(RejectCode.PRICE_ZERO, f"{field} is 0: the line has no price")
    return fen


def _shown(text: str) -> str:
    """Enough of a bad value to find it by, safe to print."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
