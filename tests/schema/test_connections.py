"""Keyset connections: pages, cursors, and everything that is no cursor of the list."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.paging import Key, Page, PageRequest, page_of
from schema.connections import KeysetList
from schema.faults import CodedError

ENTRIES = KeysetList("entries", (int,))
MIXED = KeysetList("mixed", (datetime, date, str, UUID, int))
MOMENT = datetime(2026, 11, 22, 0, 30, 0, 123_456, tzinfo=UTC)
KEY: Key = (MOMENT, date(2026, 11, 22), "零食", UUID(int=7), -(2**63) + 1)


def forged(value: Any) -> str:
    """A cursor of our own making around any JSON value."""
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


def code(error: CodedError) -> str:
    assert error.extensions is not None
    return str(error.extensions["code"])


def test_a_key_of_every_kind_comes_back_as_it_was() -> None:
    assert MIXED.key(MIXED.cursor(KEY)) == KEY
    assert [type(part) for part in MIXED.key(MIXED.cursor(KEY))] == [type(part) for part in KEY]


def test_a_cursor_is_opaque_and_safe_in_an_address() -> None:
    assert ENTRIES.cursor((42,)) == "WyJlbnRyaWVzIiw0Ml0"


def test_moments_in_a_cursor_are_utc() -> None:
    shanghai = MOMENT.astimezone(timezone(timedelta(hours=8)))
    listed = KeysetList("moments", (datetime,))
    (moment,) = listed.key(listed.cursor((shanghai,)))
    assert isinstance(moment, datetime)
    assert moment == MOMENT
    assert moment.tzinfo is UTC


@given(st.tuples(st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1)))
def test_any_number_of_the_database_comes_back(key: tuple[int]) -> None:
    assert ENTRIES.key(ENTRIES.cursor(key)) == key


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "garbage",
        "!!!!",
        "é",
        "WyJlbnRyaWVzIiw0Ml0\n",
        "A" * 501,
        forged(None),
        forged(42),
        forged([]),
        forged({"entries": 42}),
        forged(["entries"]),
        forged(["entries", 42, 43]),
        forged(["entries", "42"]),
        forged(["entries", True]),
        forged(["entries", 4.2]),
        forged(["entries", None]),
        forged(["entries", [42]]),
        forged(["entries", 2**63]),
        KeysetList("others", (int,)).cursor((42,)),
    ],
)
def test_what_is_no_cursor_of_the_list_is_refused(cursor: str) -> None:
    with pytest.raises(CodedError) as caught:
        ENTRIES.request(first=10, after=cursor)
    assert code(caught.value) == "BAD_CURSOR"
    assert caught.value.message == "The cursor is not one of this list's."


@pytest.mark.parametrize(
    "part",
    ["2026-11-22T00:30:00", "2026-13-01T00:00:00+00:00", "0001-01-01T00:00:00+08:00", "now", 7, ""],
)
def test_a_forged_moment_is_refused(part: Any) -> None:
    with pytest.raises(CodedError, match="not one of this list's"):
        KeysetList("moments", (datetime,)).key(forged(["moments", part]))


def test_a_forged_text_with_nul_is_refused() -> None:
    with pytest.raises(CodedError, match="not one of this list's"):
        KeysetList("texts", (str,)).key(forged(["texts", "a\0b"]))


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    for listed in (ENTRIES, MIXED):
        with pytest.raises(CodedError):
            listed.key(text)


@pytest.mark.parametrize(("first", "count"), [(None, 20), (1, 1), (100, 100)])
def test_first_is_1_to_100_and_20_by_default(first: int | None, count: int) -> None:
    assert ENTRIES.request(first=first, after=None) == PageRequest(first=count, after=None)


@pytest.mark.parametrize("first", [0, -1, 101, 10**9])
def test_any_other_first_is_refused(first: int) -> None:
    with pytest.raises(CodedError) as caught:
        ENTRIES.request(first=first, after=None)
    assert caught.value.extensions == {"code": "BAD_USER_INPUT", "argument": "first"}
    assert caught.value.message == "`first` must be between 1 and 100."


def test_a_page_becomes_a_connection() -> None:
    rows = [10, 11, 12]
    page = page_of(rows, first=2, key=lambda row: (row,))
    made = ENTRIES.connection(page, PageRequest(first=2))
    assert made.nodes == [10, 11]
    assert [(edge.cursor, edge.node) for edge in made.edges] == [
        (ENTRIES.cursor((10,)), 10),
        (ENTRIES.cursor((11,)), 11),
    ]
    assert vars(made.page_info) == {
        "has_next_page": True,
        "has_previous_page": False,
        "start_cursor": ENTRIES.cursor((10,)),
        "end_cursor": ENTRIES.cursor((11,)),
    }


def test_an_empty_last_page_has_no_cursors() -> None:
    page: Page[int] = page_of([], first=2, key=lambda row: (row,))
    made = ENTRIES.connection(page, PageRequest(first=2, after=(9,)))
    assert made.edges == []
    assert vars(made.page_info) == {
        "has_next_page": False,
        "has_previous_page": True,
        "start_cursor": None,
        "end_cursor": None,
    }


def test_a_page_is_asked_for_with_one_row_more() -> None:
    assert PageRequest(first=20).limit == 21


def test_a_page_without_keys_for_its_items_cannot_be_made() -> None:
    with pytest.raises(AssertionError, match="every item of a page has its key"):
        Page(items=[1, 2], keys=[(1,)], has_next=False)
