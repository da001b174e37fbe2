"""Scalars: what is taken, what is refused, what is given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.scalars import (
    SCALARS,
    URL,
    Fen,
    PhoneNumber,
    Points,
    give_date,
    give_date_time,
    give_phone_number,
    parse_date,
    parse_date_time,
    parse_phone_number,
    parse_url,
    parse_whole_number,
)

LARGEST = 9_007_199_254_740_991
SHANGHAI = timezone(timedelta(hours=8))


@pytest.mark.parametrize("value", [0, 1, -1, LARGEST, -LARGEST])
def test_whole_numbers_are_taken_and_given_as_they_are(value: int) -> None:
    assert parse_whole_number(value) == value
    for scalar in (Points, Fen):
        give = SCALARS[scalar].serialize
        assert give is not None
        assert give(value) == value


@pytest.mark.parametrize("value", [True, False, 1.0, 0.5, "1", None, [1], {}, b"1"])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^must be a whole number without quotes or fraction$"):
        parse_whole_number(value)


@pytest.mark.parametrize("value", [LARGEST + 1, -LARGEST - 1, 2**64, 10**30])
def test_whole_numbers_out_of_range_are_refused(value: int) -> None:
    message = "^must be between -9007199254740991 and 9007199254740991$"
    with pytest.raises(ValueError, match=message):
        parse_whole_number(value)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, LARGEST + 1])
def test_a_wrong_number_of_ours_is_not_given(value: object) -> None:
    give = SCALARS[Points].serialize
    assert give is not None
    with pytest.raises(ValueError, match="not a whole number within range"):
        give(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T08:30:00+08:00", datetime(2026, 11, 22, 0, 30, tzinfo=UTC)),
        ("2026-11-22T00:30:00Z", datetime(2026, 11, 22, 0, 30, tzinfo=UTC)),
        ("2026-11-22t00:30:00.5z", datetime(2026, 11, 22, 0, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-11-22T00:30:00.123456-00:00", datetime(2026, 11, 22, 0, 30, 0, 123_456, tzinfo=UTC)),
        # Nanoseconds are cut off, never rounded up into the future.
        ("2026-11-22T00:30:00.999999999Z", datetime(2026, 11, 22, 0, 30, 0, 999_999, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("2024-02-29T23:59:59Z", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_moments_are_taken_with_any_offset(text: str, expected: datetime) -> None:
    assert parse_date_time(text) == expected
    assert parse_date_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-22T08:30:00",  # no offset: whose half past eight?
        "2026-11-22 08:30:00Z",
        "2026-11-22T08:30Z",
        "2026-11-22T08:30:00.Z",
        "2026-11-22T08:30:00.1234567890Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+08:00",  # before year 1 in UTC
        "9999-12-31T23:59:59-08:00",  # after year 9999 in UTC
        "2026-11-22T08:30:00+24:00",
        "2026-11-22T08:30:00+0800",
        "2026-11-22T08:30:00Z\n",
        "２０２６-11-22T08:30:00Z",
        "",
        "now",
    ],
)
def test_what_is_no_moment_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"^must be RFC 3339 with an offset"):
        parse_date_time(value)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 22, 8, 30, tzinfo=SHANGHAI), "2026-11-22T00:30:00Z"),
        (datetime(2026, 11, 22, 0, 30, 0, 5, tzinfo=UTC), "2026-11-22T00:30:00.000005Z"),
    ],
)
def test_moments_are_given_in_utc(moment: datetime, text: str) -> None:
    assert give_date_time(moment) == text


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), "2026-01-01T00:00:00Z", date(2026, 1, 1)])  # noqa: DTZ001 - naive is the point
def test_a_wrong_moment_of_ours_is_not_given(value: object) -> None:
    with pytest.raises(ValueError, match="not an aware datetime"):
        give_date_time(value)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_given_and_taken_again_is_the_same(moment: datetime) -> None:
    assert parse_date_time(give_date_time(moment)) == moment


def test_days_are_taken_and_given() -> None:
    assert parse_date("2024-02-29") == date(2024, 2, 29)
    assert give_date(date(2024, 2, 29)) == "2024-02-29"


@pytest.mark.parametrize(
    "value", ["20240229", "2024-W09-4", "2024-2-9", "2026-02-29", "", "2024-02-29Z"]
)
def test_what_is_no_day_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a day as YYYY-MM-DD$"):
        parse_date(value)


def test_a_moment_is_not_given_as_a_day() -> None:
    with pytest.raises(ValueError, match="not a date"):
        give_date(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "value",
    [
        "https://img.example/a.png?x=1#y",
        "http://127.0.0.1:8001/a",
        "https://[::1]/",
        "https://例子.测试/图片.png",
        "https://img.example/" + "a" * (2048 - 20),
    ],
)
def test_addresses_are_taken(value: str) -> None:
    assert parse_url(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://img.example/",
        "//img.example/",
        "img.example",
        "https://",
        "https:///path",
        "https://user:secret@img.example/",
        "https://img.example/a b",
        "https://img.example/\n",
        "https://img.example:99999/",
        "https://[::1",
        " https://img.example/",
        "",
    ],
)
def test_what_is_no_address_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"^must be an http or https address$"):
        parse_url(value)


def test_an_address_may_have_2048_characters_and_no_more() -> None:
    with pytest.raises(ValueError, match=r"^must have at most 2048 characters$"):
        parse_url("https://img.example/" + "a" * (2049 - 20))


@pytest.mark.parametrize(
    ("text", "taken", "given_back"),
    [
        ("+8613800138000", "+8613800138000", "+86138****8000"),
        ("+86 138-0013-8000", "+8613800138000", "+86138****8000"),
        ("+14155552671", "+14155552671", "+1415***2671".replace("***", "****")),
        ("+85223456789", "+85223456789", "+852****6789"),
    ],
)
def test_telephone_numbers_are_taken_in_e164_and_given_masked(
    text: str, taken: str, given_back: str
) -> None:
    assert parse_phone_number(text) == taken
    assert give_phone_number(taken) == given_back


@pytest.mark.parametrize(
    "value",
    [
        *("13800138000", "+8612345", "+86", "+", "", "8613800138000", "+999123456789"),
        *("+861380013800a", "+8613800138000x", "+8613800138000\u200b", "+8613800138000ext1"),
        "+\u200b8613800138000",
    ],
)
def test_what_is_no_telephone_number_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"^must be E\.164, like \+8613800138000$"):
        parse_phone_number(value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@pytest.mark.parametrize(
    "parse", [parse_whole_number, parse_date_time, parse_date, parse_url, parse_phone_number]
)
@given(value=ANYTHING)
def test_whatever_is_given_is_taken_or_refused(parse: Callable[[Any], Any], value: Any) -> None:
    try:
        parse(value)
    except ValueError as refusal:
        assert str(refusal).startswith("must ")  # noqa: PT017 - any other exception fails the test


def test_the_scalars_are_named() -> None:
    assert {kind: one.name for kind, one in SCALARS.items()} == {
        Points: "Points",
        Fen: "Fen",
        datetime: "DateTime",
        date: "Date",
        URL: "URL",
        PhoneNumber: "PhoneNumber",
    }
