"""What becomes of a stream after a round of delivery: pure decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

DETAIL_MAX: Final = 200
"""How much of an error's text is kept with a parked event, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """How much one round takes, how long it may last, and how often a failing event is tried."""

    streams_max: int = 200
    events_max: int = 1_000
    lease_s: float = 30.0
    """For how long the streams of a round belong to it. It stops handing over after two thirds."""
    tries_max: int = 8
    backoff_first_s: float = 1.0
    backoff_max_s: float = 300.0
    put_off_s: float = 10.0
    """How long streams rest when nothing is wrong with their events: a consumer is out of order."""

    @property
    def round_s(self) -> float:
        """How long a round may hand over."""
        return self.lease_s * 2 / 3

    @property
    def call_s(self) -> float:
        """How long a consumer may take at a time: a round has room for a batch and one event."""
        return self.lease_s / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A stream that belongs to this round, as it stood when it was claimed."""

    member_id: UUID
    delivered_seq: int
    last_seq: int
    attempts: int
    """How often the event after `delivered_seq` has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A consumer raised at an event that it was handed alone."""

    consumer: str
    member_id: UUID
    seq: int
    kind: str
    error: str
    """The class of what was raised."""
    detail: str
    """The beginning of its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where a stream stopped in this round: at the first event that somebody did not take.

    Without a failure nobody is to blame: a consumer is out of order, or the time was up.
    """

    seq: int
    failures: tuple[Failure, ...] = ()
    put_off: bool = False
    """Whether some consumer has not taken the event for another reason than the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What is recorded of a stream at the end of a round."""

    member_id: UUID
    delivered_seq: int
    attempts: int
    due_at: datetime
    parked: tuple[Failure, ...] = ()
    """What is parked: the event failed for the last time that is allowed."""
    tries: int = 0
    """How often what is parked was tried."""


def share(pending: Sequence[int], *, events_max: int) -> int:
    """How many events each stream may send so that all together send at most `events_max`.

    At least one each, at most what the longest has: those with few leave room to those with many.
    """
    room = max(events_max, len(pending))
    for position, count in enumerate(sorted(pending)):
        equal = room // (len(pending) - position)
        if count > equal:
            return equal
        room -= count
    return max(pending)


def earliest(one: Stop | None, other: Stop) -> Stop:
    """The stop of a stream at which two consumers stopped."""
    if one is None or other.seq < one.seq:
        return other
    if one.seq < other.seq:
        return one
    return Stop(
        seq=one.seq,
        failures=one.failures + other.failures,
        put_off=one.put_off or other.put_off,
    )


def settled(
    leased: Leased,
    *,
    reached: int,
    stop: Stop | None,
    begun_at: datetime,
    ended_at: datetime,
    limits: DeliveryLimits,
) -> Settled:
    """What becomes of a stream whose events up to `reached` were handed over, but for a stop.

    A stream that did not stop is due at once, should it have more events.

    An event that failed as often as it may is parked and passed over, unless a consumer has yet
    to see it.
    """
    if stop is None:
        return Settled(
            member_id=leased.member_id, delivered_seq=reached, attempts=0, due_at=begun_at
        )
    tries = leased.attempts if stop.seq == leased.delivered_seq + 1 else 0
    if stop.failures:
        tries += 1
    if stop.failures and not stop.put_off and tries >= limits.tries_max:
        return Settled(
            member_id=leased.member_id,
            delivered_seq=stop.seq,
            attempts=0,
            due_at=begun_at,
            parked=stop.failures,
            tries=tries,
        )
    rest_s = backoff_s(tries, limits=limits) if stop.failures else limits.put_off_s
    return Settled(
        member_id=leased.member_id,
        delivered_seq=stop.seq - 1,
        attempts=tries,
        due_at=ended_at + timedelta(seconds=rest_s),
    )


def backoff_s(tries: int, *, limits: DeliveryLimits) -> float:
    """How long a stream rests after its event failed for the n-th time: doubling, bounded."""
    doublings = min(tries - 1, 30)
    return float(min(limits.backoff_first_s * 2**doublings, limits.backoff_max_s))
