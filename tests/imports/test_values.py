"""Texts of a file as exact values."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.imports.values import (
    decimal_of,
    fen_of,
    is_negative,
    is_zero,
    microseconds_of,
    moment_of,
    whole_of,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("3.86", 386),
        ("0", 0),
        ("-0.00", 0),
        ("+1", 100),
        (".5", 50),
        ("7.", 700),
        ("0.005", 1),
        ("0.0049999999999999999999999999999999", 0),
        ("-0.005", -1),
        ("4.440892e-16", 0),
        ("1e2", 10_000),
        ("1.5E+1", 1_500),
        ("90071992547409.91", 2**53 - 1),
        ("0.1234567890123456789012345678901234567890", 12),
    ],
)
def test_amounts_are_exact_and_half_a_fen_is_rounded_up(text: str, fen: int) -> None:
    assert fen_of(text) == fen


NO_NUMBERS = (
    *("", ".", "-", "e5", "1e", "1e1000", "1e-1000", "9" * 41, "0x10", "1_000", "１２", "٣"),
    *("nan", "inf", "Infinity", "1 2", "1.2.3", "--1", "1,234.50", "¥3", "3.86元"),
)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_none(text: str) -> None:
    assert (decimal_of(text), whole_of(text), fen_of(text)) == (None, None, None)
    assert not is_negative(text)
    assert not is_zero(text)


def test_a_price_is_multiplied_before_it_is_rounded() -> None:
    assert fen_of("0.001", 1_000) == 100
    assert fen_of("0.001", 4) == 0
    assert fen_of("0.001", 5) == 1
    assert fen_of("2.55", 0) == 0


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12
    ),
    st.integers(0, 10**6),
)
def test_amounts_equal_decimal_arithmetic(price: Decimal, quantity: int) -> None:
    with localcontext() as context:
        context.prec = 60
        expected = int((price * quantity * 100).to_integral_value(ROUND_HALF_UP))
    assert fen_of(f"{price:f}", quantity) == expected


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_a_float_is_its_shortest_text(value: float) -> None:
    exact = Decimal(repr(value))
    assert fen_of(repr(value)) == int((exact * 100).to_integral_value(ROUND_HALF_UP))
    assert is_negative(repr(value)) == (value < 0)
    assert is_zero(repr(value)) == (value == 0)


WHOLE = {"1": 1, "1.0": 1, "-2.000": -2, "1.2e1": 12, "1e3": 1_000, "32623.0": 32_623, "0.1e1": 1}


@pytest.mark.parametrize(
    ("text", "whole"), [*WHOLE.items(), ("1.5", None), ("", None), ("1e-1", None)]
)
def test_whole_numbers(text: str, whole: int | None) -> None:
    assert whole_of(text) == whole


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2017-01-28 19:06:53", SHANGHAI, "2017-01-28T11:06:53+00:00"),
        ("2017-01-28 19:06:53.123456", SHANGHAI, "2017-01-28T11:06:53.123456+00:00"),
        # Nanoseconds are cut off.
        ("2017-01-28T19:06:53.123456789Z", SHANGHAI, "2017-01-28T19:06:53.123456+00:00"),
        ("2017-01-28 19:06:53.000000+0900", SHANGHAI, "2017-01-28T10:06:53+00:00"),
        ("2017-01-28", SHANGHAI, "2017-01-27T16:00:00+00:00"),
        # Of the hour that comes twice the first is meant, and the hour that never comes is kept.
        ("2026-11-01 01:30:00", NEW_YORK, "2026-11-01T05:30:00+00:00"),
        ("2026-03-08 02:30:00", NEW_YORK, "2026-03-08T07:30:00+00:00"),
        ("1969-12-31T23:59:59.999999+00:00", SHANGHAI, "1969-12-31T23:59:59.999999+00:00"),
    ],
)
def test_moments(text: str, zone: ZoneInfo, moment: str) -> None:
    microseconds = microseconds_of(text, zone=zone, form=None)
    assert microseconds is not None
    assert moment_of(microseconds) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-02-30", "2026-13-01", "28/01/2017", "10000-01-01 00:00:00"]
)
def test_what_is_no_moment_is_none(text: str) -> None:
    assert microseconds_of(text, zone=SHANGHAI, form=None) is None


@pytest.mark.parametrize("text", ["0001-01-01 00:00:00", "9999-12-31 23:59:59-12:00"])
def test_the_ends_of_the_calendar_are_numbers_too(text: str) -> None:
    microseconds = microseconds_of(text, zone=SHANGHAI, form=None)
    assert microseconds is not None
    assert abs(microseconds) > 2**54


def test_dates_in_the_form_of_the_file() -> None:
    microseconds = microseconds_of("28/01/2017 19:06", zone=SHANGHAI, form="%d/%m/%Y %H:%M")
    assert microseconds is not None
    assert moment_of(microseconds) == datetime(2017, 1, 28, 11, 6, tzinfo=UTC)
    assert microseconds_of("2017-01-28", zone=SHANGHAI, form="%d/%m/%Y %H:%M") is None
