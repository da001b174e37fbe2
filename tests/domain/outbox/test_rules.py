"""What becomes of a stream: how much it sends, when it is tried again, when it is parked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.outbox import DeliveryLimits
from domain.outbox.rules import Failure, Leased, Settled, Stop, backoff_s, earliest, settled, share
from tests.domain.ledger.commands import ALICE, NOW

LIMITS = DeliveryLimits(tries_max=3, backoff_first_s=2, backoff_max_s=10, put_off_s=7)


@pytest.mark.parametrize(
    ("pending", "events_max", "each"),
    [
        ([1], 1_000, 1),
        ([1, 1, 1_000], 10, 8),
        ([1_000, 1, 1], 10, 8),
        ([5, 5, 5], 7, 2),
        ([5, 5, 5], 15, 5),
        ([9, 9, 9], 2, 1),  # Each sends one, so that none starves.
        ([500_000], 1_000, 1_000),
    ],
)
def test_streams_share_what_a_round_may_hand_over(
    pending: list[int], events_max: int, each: int
) -> None:
    assert share(pending, events_max=events_max) == each
    assert sum(min(each, count) for count in pending) <= max(events_max, len(pending))


def test_waiting_doubles_up_to_its_bound() -> None:
    assert [backoff_s(n, limits=LIMITS) for n in (1, 2, 3, 4, 1_000_000)] == [2, 4, 8, 10, 10]


def leased(*, attempts: int = 0) -> Leased:
    return Leased(member_id=ALICE, delivered_seq=4, last_seq=9, attempts=attempts)


def failure(seq: int, consumer: str = "letters") -> Failure:
    return Failure(
        consumer=consumer, member_id=ALICE, seq=seq, kind="A", error="ValueError", detail="no"
    )


def outcome(stop: Stop | None, *, attempts: int = 0) -> Settled:
    return settled(
        leased(attempts=attempts),
        reached=7,
        stop=stop,
        begun_at=NOW,
        ended_at=NOW + timedelta(seconds=3),
        limits=LIMITS,
    )


def expected(delivered_seq: int, *, attempts: int = 0, rest_s: float = -3) -> Settled:
    return Settled(
        member_id=ALICE,
        delivered_seq=delivered_seq,
        attempts=attempts,
        due_at=NOW + timedelta(seconds=3 + rest_s),
    )


def test_what_nobody_stops_is_delivered() -> None:
    assert outcome(None, attempts=2) == expected(7)


@pytest.mark.parametrize(("attempts", "rest_s"), [(0, 2), (1, 4)])
def test_a_failing_event_is_tried_later_and_later(attempts: int, rest_s: float) -> None:
    stop = Stop(seq=5, failures=(failure(5),))
    assert outcome(stop, attempts=attempts) == expected(4, attempts=attempts + 1, rest_s=rest_s)


def test_another_event_than_the_last_time_starts_counting_anew() -> None:
    stop = Stop(seq=6, failures=(failure(6),))
    assert outcome(stop, attempts=2) == expected(5, attempts=1, rest_s=2)


def test_the_last_failure_that_is_allowed_parks_the_event_and_passes_over_it() -> None:
    both = (failure(5), failure(5, "hooks"))
    assert outcome(Stop(seq=5, failures=both), attempts=2) == Settled(
        member_id=ALICE, delivered_seq=5, attempts=0, due_at=NOW, parked=both, tries=3
    )


def test_nothing_is_parked_before_everybody_saw_it() -> None:
    stop = Stop(seq=5, failures=(failure(5),), put_off=True)
    assert outcome(stop, attempts=2) == expected(4, attempts=3, rest_s=8)


def test_a_consumer_that_is_out_of_order_counts_nothing() -> None:
    assert outcome(Stop(seq=5, put_off=True), attempts=2) == expected(4, attempts=2, rest_s=7)
    assert outcome(Stop(seq=7, put_off=True), attempts=2) == expected(6, rest_s=7)


def test_the_earliest_stop_counts_and_two_at_the_same_event_are_one() -> None:
    early, late = Stop(seq=5, put_off=True), Stop(seq=6, failures=(failure(6),))
    assert earliest(None, late) == late
    assert earliest(early, late) == earliest(late, early) == early
    other = Stop(seq=6, failures=(failure(6, "hooks"),), put_off=True)
    assert earliest(late, other) == Stop(
        seq=6, failures=(failure(6), failure(6, "hooks")), put_off=True
    )


def test_a_round_ends_before_its_lease_does() -> None:
    limits = DeliveryLimits(lease_s=30)
    assert (limits.round_s, limits.call_s) == (20, 7.5)
