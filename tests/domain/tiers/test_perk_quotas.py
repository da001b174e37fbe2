"""The periods of quotas: days of the programme's zone, months, years, and birthdays."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from domain.tiers.perks.quotas import (
    Allowance,
    Period,
    allowance,
    birthday_in,
    free_ordinal,
    span,
)
from tests.domain.tiers.levels import SHANGHAI

LEAP = date(1996, 2, 29)


@pytest.mark.parametrize(
    ("period", "today", "birthday", "days"),
    [
        ("DAY", "2026-12-31", None, "2026-12-30 2026-12-31 2027-01-01 2027-01-02"),
        ("MONTH", "2026-01-31", None, "2025-12-01 2026-01-01 2026-02-01 2026-03-01"),
        ("MONTH", "2028-02-29", None, "2028-01-01 2028-02-01 2028-03-01 2028-04-01"),
        ("YEAR", "2026-01-01", None, "2025-01-01 2026-01-01 2027-01-01 2028-01-01"),
        ("BIRTHDAY", "2026-06-05", "1987-06-05", "2025-06-05 2026-06-05 2027-06-05 2028-06-05"),
        ("BIRTHDAY", "2026-06-04", "1987-06-05", "2024-06-05 2025-06-05 2026-06-05 2027-06-05"),
        # Who was born on 29 February has a birthday in every year.
        ("BIRTHDAY", "2027-02-28", "1996-02-29", "2026-02-28 2027-02-28 2028-02-29 2029-02-28"),
        ("BIRTHDAY", "2028-02-28", "1996-02-29", "2026-02-28 2027-02-28 2028-02-29 2029-02-28"),
        ("BIRTHDAY", "2028-02-29", "1996-02-29", "2027-02-28 2028-02-29 2029-02-28 2030-02-28"),
        ("BIRTHDAY", "2029-02-27", "1996-02-29", "2027-02-28 2028-02-29 2029-02-28 2030-02-28"),
    ],
)
def test_a_day_lies_in_one_period_of_each_kind(
    period: str, today: str, birthday: str | None, days: str
) -> None:
    found = span(
        Period(period),
        today=date.fromisoformat(today),
        birthday=None if birthday is None else date.fromisoformat(birthday),
    )
    assert found is not None
    starts = (found.previous, found.began_on, found.ends_on, found.following)
    assert " ".join(map(str, starts)) == days


def test_a_birthday_that_nobody_has_told_has_no_period() -> None:
    assert span(Period.BIRTHDAY, today=date(2026, 3, 1), birthday=None) is None
    assert allowance(3, span=None, used=0, used_later=0, zone=SHANGHAI) == Allowance(
        remaining=0, resets_at=None
    )


@pytest.mark.parametrize(("year", "day"), [(2027, 28), (2028, 29), (2100, 28), (2000, 29)])
def test_29_february_is_celebrated_on_28_february_in_other_years(year: int, day: int) -> None:
    assert birthday_in(year, LEAP) == date(year, 2, day)


@pytest.mark.parametrize(
    ("used", "used_later", "remaining", "resets"),
    [
        (0, 0, 2, datetime(2026, 6, 4, 16, tzinfo=UTC)),
        (1, 0, 1, datetime(2026, 6, 4, 16, tzinfo=UTC)),
        (2, 0, 0, datetime(2026, 6, 4, 16, tzinfo=UTC)),
        # The level before gave more.
        (3, 0, 0, datetime(2026, 6, 4, 16, tzinfo=UTC)),
        # The birthday was another one: what was used then counts next time too.
        (2, 2, 0, datetime(2027, 6, 4, 16, tzinfo=UTC)),
    ],
)
def test_what_is_left_of_a_quota_is_never_below_nothing(
    used: int, used_later: int, remaining: int, resets: datetime
) -> None:
    within = span(Period.BIRTHDAY, today=date(2026, 3, 1), birthday=date(1987, 6, 5))
    assert allowance(2, span=within, used=used, used_later=used_later, zone=SHANGHAI) == Allowance(
        remaining=remaining, resets_at=resets
    )


@pytest.mark.parametrize(
    ("taken", "free"), [([], 1), ([1], 2), ([2, 1], 3), ([2, 3], 1), ([1, 3], 2), ([7], 1)]
)
def test_the_number_of_a_use_is_the_least_that_is_free(taken: list[int], free: int) -> None:
    assert free_ordinal(taken) == free
