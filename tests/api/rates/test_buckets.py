"""The buckets of one process: exact levels, all or nothing, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.rates.buckets import UNITS_PER_TOKEN, Demand, LocalBuckets
from api.rates.settings import BucketSettings
from resolvers.rates import RateKey

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEN = BucketSettings(capacity=10, restored_per_minute=60)
"""Ten, and one more each second."""

ALICE = RateKey("member", "alice")
BOB = RateKey("member", "bob")


def tokens(levels: tuple[int, ...]) -> list[float]:
    return [level / UNITS_PER_TOKEN for level in levels]


def take(buckets: LocalBuckets, *demands: Demand, after_s: float = 0.0) -> tuple[list[float], int]:
    """What is left in each bucket, and the microseconds to wait."""
    taken = buckets.take(demands, now=NOW + timedelta(seconds=after_s))
    return tokens(taken.levels), taken.wait_us


def test_a_bucket_is_full_at_first_and_fills_by_and_by() -> None:
    buckets = LocalBuckets(10)
    assert take(buckets, Demand(ALICE, TEN, 4)) == ([6.0], 0)
    assert take(buckets, Demand(ALICE, TEN, 6)) == ([0.0], 0)
    # Nothing is taken when there is not enough, however often it is asked.
    for _ in range(3):
        assert take(buckets, Demand(ALICE, TEN, 1), after_s=0.25) == ([0.25], 750_000)
    assert take(buckets, Demand(ALICE, TEN, 1), after_s=0.999_999) == ([0.999_999], 1)
    assert take(buckets, Demand(ALICE, TEN, 1), after_s=1) == ([0.0], 0)
    assert take(buckets, Demand(ALICE, TEN, 0), after_s=3_600) == ([10.0], 0)


def test_who_waits_as_long_as_was_said_gets_it() -> None:
    buckets = LocalBuckets(10)
    slow = BucketSettings(capacity=3, restored_per_minute=7)
    take(buckets, Demand(ALICE, slow, 3))
    _, wait_us = take(buckets, Demand(ALICE, slow, 2), after_s=1)
    assert wait_us == -(-(2 * UNITS_PER_TOKEN - 7_000_000) // 7) == 16_142_858
    after_s = 1 + wait_us / 1_000_000
    assert take(buckets, Demand(ALICE, slow, 2), after_s=after_s - 0.000_001)[1] == 1
    assert take(buckets, Demand(ALICE, slow, 2), after_s=after_s)[1] == 0


def test_buckets_are_apart() -> None:
    buckets = LocalBuckets(10)
    assert take(buckets, Demand(ALICE, TEN, 10)) == ([0.0], 0)
    assert take(buckets, Demand(BOB, TEN, 10)) == ([0.0], 0)
    assert take(buckets, Demand(RateKey("shop", "alice"), TEN, 10)) == ([0.0], 0)


def test_several_give_all_or_nothing() -> None:
    buckets = LocalBuckets(10)
    take(buckets, Demand(BOB, TEN, 9))
    taken = buckets.take([Demand(ALICE, TEN, 5), Demand(BOB, TEN, 5)], now=NOW)
    assert (tokens(taken.levels), taken.wait_us, taken.short) == ([10.0, 1.0], 4_000_000, 1)
    assert take(buckets, Demand(ALICE, TEN, 5), Demand(BOB, TEN, 1)) == ([5.0, 0.0], 0)


@pytest.mark.parametrize(("back", "left"), [(3, 9.0), (4, 10.0), (400, 10.0), (-2, 4.0), (-9, 0.0)])
def test_what_is_put_back_fits_in_and_what_was_missing_is_taken(back: int, left: float) -> None:
    buckets = LocalBuckets(10)
    take(buckets, Demand(ALICE, TEN, 4))
    assert take(buckets, Demand(ALICE, TEN, 0, back)) == ([left], 0)


def test_what_no_bucket_can_hold_takes_a_full_one() -> None:
    buckets = LocalBuckets(10)
    assert take(buckets, Demand(ALICE, TEN, 1_000)) == ([0.0], 0)
    assert take(buckets, Demand(ALICE, TEN, 1_000), after_s=9) == ([9.0], 1_000_000)
    assert take(buckets, Demand(ALICE, TEN, 1_000), after_s=10) == ([0.0], 0)


def test_requests_that_end_in_another_order_gain_no_time_twice() -> None:
    """A minute in which, ten times a second, something that began three seconds ago ends too."""
    buckets = LocalBuckets(10)
    given = 10 if take(buckets, Demand(ALICE, TEN, 10))[1] == 0 else 0
    for tenth in range(1, 601):
        take(buckets, Demand(ALICE, TEN, 0, 0), after_s=tenth / 10 - 3)
        given += take(buckets, Demand(ALICE, TEN, 1), after_s=tenth / 10)[1] == 0
    assert given == 10 + 60


def test_a_clock_that_is_put_back_stops_nothing() -> None:
    buckets = LocalBuckets(10)
    take(buckets, Demand(ALICE, TEN, 10))
    assert take(buckets, Demand(ALICE, TEN, 1), after_s=-3_600) == ([0.0], 1_000_000)
    assert take(buckets, Demand(ALICE, TEN, 1), after_s=-3_599) == ([0.0], 0)


def test_those_not_asked_for_longest_are_forgotten() -> None:
    buckets = LocalBuckets(2)
    carol = RateKey("member", "carol")
    for key in (ALICE, BOB, ALICE, carol):
        take(buckets, Demand(key, TEN, 3))
    assert len(buckets) == 2
    assert take(buckets, Demand(ALICE, TEN, 0)) == ([4.0], 0)
    assert take(buckets, Demand(carol, TEN, 0)) == ([7.0], 0)
    assert take(buckets, Demand(BOB, TEN, 0)) == ([10.0], 0)
