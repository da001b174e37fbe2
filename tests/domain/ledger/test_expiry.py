"""When points expire: to the microsecond, in the programme's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.ledger import (
    NEVER,
    AfterDays,
    AfterMonths,
    EndOfYear,
    ExpiryPolicy,
    Never,
    add_months,
    expires_at,
    local_midnight,
    policy_from_json,
    policy_to_json,
)
from tests.domain.ledger.commands import SHANGHAI


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# A day begins at 16:00 UTC of the day before in Shanghai, which has no summer time.
@pytest.mark.parametrize(
    ("policy", "earned", "expires"),
    [
        # The last microsecond of 31 January, local, and the first of 1 February.
        (AfterDays(1), "2026-01-31T15:59:59.999999", "2026-02-01T16:00"),
        (AfterDays(1), "2026-01-31T16:00:00", "2026-02-02T16:00"),
        (AfterDays(365), "2027-12-31T04:00", "2028-12-30T16:00"),
        # 31 January + 1 month: 28 February, or 29 in a leap year.
        (AfterMonths(1), "2026-01-31T04:00", "2026-02-28T16:00"),
        (AfterMonths(1), "2028-01-31T04:00", "2028-02-29T16:00"),
        (AfterMonths(1), "2026-02-28T04:00", "2026-03-28T16:00"),
        (AfterMonths(2), "2026-12-31T04:00", "2027-02-28T16:00"),
        # 29 February: a year later there is none, four years later there is.
        (AfterMonths(12), "2028-02-29T04:00", "2029-02-28T16:00"),
        (AfterMonths(48), "2024-02-29T04:00", "2028-02-29T16:00"),
        # A day that began in Shanghai while it was yesterday in UTC.
        (AfterMonths(1), "2026-01-30T16:00", "2026-02-28T16:00"),
        (EndOfYear(), "2026-12-31T15:59:59.999999", "2026-12-31T16:00"),
        (EndOfYear(), "2026-12-31T16:00", "2027-12-31T16:00"),
        (EndOfYear(90), "2026-05-01T04:00", "2027-03-31T16:00"),
        (EndOfYear(60), "2027-05-01T04:00", "2028-02-29T16:00"),
    ],
)
def test_points_expire_at_the_local_midnight_after_their_last_day(
    policy: ExpiryPolicy, earned: str, expires: str
) -> None:
    assert expires_at(policy, earned_at=utc(earned), zone=SHANGHAI) == utc(expires)


def test_points_that_never_expire_carry_the_sentinel() -> None:
    moment = expires_at(Never(), earned_at=utc("2026-01-31T04:00"), zone=SHANGHAI)
    assert moment == NEVER == datetime(9999, 12, 31, tzinfo=UTC)


def test_the_moment_of_earning_may_be_told_in_any_zone() -> None:
    local = datetime(2026, 1, 31, 23, 30, tzinfo=SHANGHAI)
    assert expires_at(AfterDays(1), earned_at=local, zone=SHANGHAI) == utc("2026-02-01T16:00")


@pytest.mark.parametrize(
    ("earned", "expires"),
    [
        # Clocks go forward on 8 March 2026 and back on 1 November: midnight stays midnight.
        ("2026-03-06T17:00", "2026-03-08T05:00"),
        ("2026-03-07T17:00", "2026-03-09T04:00"),
        ("2026-10-31T16:00", "2026-11-02T05:00"),
    ],
)
def test_summer_time_moves_no_midnight(earned: str, expires: str) -> None:
    zone = ZoneInfo("America/New_York")
    assert expires_at(AfterDays(1), earned_at=utc(earned), zone=zone) == utc(expires)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2024, 2, 29), -12, date(2023, 2, 28)),
        (date(2026, 1, 15), -1, date(2025, 12, 15)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
        (date(2026, 5, 31), 0, date(2026, 5, 31)),
    ],
)
def test_months_are_added_by_the_calendar(day: date, months: int, expected: date) -> None:
    assert add_months(day, months) == expected


def test_a_midnight_that_clocks_skip_is_the_first_moment_of_its_day() -> None:
    """On 26 April 2024 clocks in Cairo went from 00:00 to 01:00."""
    day = local_midnight(date(2024, 4, 26), ZoneInfo("Africa/Cairo"))
    assert day == utc("2024-04-25T22:00")
    assert day.astimezone(ZoneInfo("Africa/Cairo")).date() == date(2024, 4, 26)


def test_the_longest_policy_ends_before_never() -> None:
    for policy in (AfterDays(36_500), AfterMonths(1_200), EndOfYear(3_650)):
        assert policy_from_json(policy_to_json(policy)) == policy
        assert expires_at(policy, earned_at=utc("9000-01-01T00:00"), zone=SHANGHAI) < NEVER


def test_a_local_midnight_is_told_in_utc() -> None:
    assert local_midnight(date(2026, 3, 1), SHANGHAI) == utc("2026-02-28T16:00")


@pytest.mark.parametrize("policy", [AfterDays(30), AfterMonths(12), EndOfYear(90), Never()])
def test_a_policy_survives_json(policy: ExpiryPolicy) -> None:
    assert policy_from_json(policy_to_json(policy)) == policy


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"kind": "after_days"},
        {"kind": "after_days", "days": 0},
        {"kind": "after_days", "days": 36_501},
        {"kind": "after_days", "days": "30"},
        {"kind": "after_days", "days": 1.5},
        {"kind": "after_days", "days": True},
        {"kind": "after_days", "days": 1, "grace_days": 30},
        {"kind": "end_of_year", "grace_days": False},
        {"kind": "end_of_year"},
        {"kind": "never", "days": 1},
        [],
        None,
        {"kind": "after_months", "months": 1_201},
        {"kind": "after_months", "days": 1},
        {"kind": "end_of_year", "grace_days": -1},
        {"kind": "end_of_year", "grace_days": 3_651},
        {"kind": "sometime"},
    ],
)
def test_what_is_no_policy_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not an expiry policy"):
        policy_from_json(value)
