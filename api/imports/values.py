"""Texts of a file as exact values. Pure: no I/O, and no binary fractions.

Each function returns None where the text is no such value; the caller knows the reason to give.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NUMBER: Final = re.compile(r"([+-]?)(\d{0,40})(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,3}))?", re.ASCII)
_FEN_EXPONENT: Final = 2
"""A yuan is 10² fen."""
_NAMES_HOURS: Final = re.compile("%[-^_0]?[HIcXs]")
"""In the words of strptime."""


@lru_cache(maxsize=65_536)
def decimal_of(text: str) -> tuple[int, int] | None:
    """The number as (mantissa, exponent): mantissa × 10^exponent, exactly."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, whole, fraction, exponent = match.groups()
    fraction = fraction or ""
    if not whole + fraction:
        return None
    mantissa = int(whole + fraction)
    return (-mantissa if sign == "-" else mantissa), int(exponent or 0) - len(fraction)


@lru_cache(maxsize=65_536)
def whole_of(text: str) -> int | None:
    """A whole number, also written 12.0 or 1.2e1."""
    number = decimal_of(text)
    if number is None:
        return None
    mantissa, exponent = number
    if exponent >= 0:
        return mantissa * int(10**exponent)
    whole, rest = divmod(mantissa, int(10**-exponent))
    return None if rest else whole


@lru_cache(maxsize=65_536)
def fen_of(text: str, quantity: int = 1) -> int | None:
    """An amount of yuan times the quantity, in fen; half a fen is rounded up (away from zero).

    The product is rounded, not the price: 1000 pieces at 0.001 are 1 yuan.
    """
    number = decimal_of(text)
    if number is None:
        return None
    mantissa, exponent = number
    size, exponent = abs(mantissa) * quantity, exponent + _FEN_EXPONENT
    if exponent >= 0:
        fen = size * int(10**exponent)
    else:
        divisor = int(10**-exponent)
        fen = (2 * size + divisor) // (2 * divisor)
    return -fen if mantissa < 0 else fen


def is_negative(text: str) -> bool:
    """Whether the text is a number below zero, however close to it."""
    number = decimal_of(text)
    return number is not None and number[0] < 0


def is_zero(text: str) -> bool:
    """Whether the text is the number zero."""
    number = decimal_of(text)
    return number is not None and number[0] == 0


@lru_cache(maxsize=65_536)
def microseconds_of(text: str, *, zone: ZoneInfo, form: str | None) -> int | None:
    """A moment as microseconds since 1970, UTC; one that names no offset is local to `zone`.

    ISO 8601, or `form` in the words of strptime. A date alone is its midnight.
    """
    try:
        moment = _read_moment(text, form)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - EPOCH) // _MICROSECOND


def _read_moment(text: str, form: str | None) -> datetime:
    if form is None:
        return datetime.fromisoformat(text)
    return datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone


def moment_of(microseconds: int) -> datetime:
    """The moment so many microseconds after 1970, UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


@lru_cache(maxsize=65_536)
def end_microseconds_of(text: str, *, zone: ZoneInfo, form: str | None) -> int | None:
    """The same of a moment at which something ends: a date alone lasts through its day."""
    begins = microseconds_of(text, zone=zone, form=form)
    if begins is None or not _is_date_alone(text, form):
        return begins
    day = _read_moment(text, form).date()
    if day == date.max:
        return begins
    ends = datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)
    return (ends - EPOCH) // _MICROSECOND


def _is_date_alone(text: str, form: str | None) -> bool:
    if form is not None:
        return not _NAMES_HOURS.search(form)
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
