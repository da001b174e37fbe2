"""Delivering the outbox: each member's events in their order, at least once, by any worker.

A round claims streams, reads what follows in each, hands it to every consumer, and records how far
each stream came. Any number of workers may run rounds at once; a stream belongs to one of them at a
time (`leases`). What a consumer fails at is tried again alone, later and later, and parked in the
end, so that the member's later events go on (`rules`, `parking`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

import structlog

from domain.outbox.consumers import Consumer
from domain.outbox.handing import Handing
from domain.outbox.leases import claim, give_back, read, record
from domain.outbox.parking import deliver_replayed, tell_parked
from domain.outbox.rules import DeliveryLimits, Leased, Settled, settled, share
from domain.outbox.streams import Announced
from domain.storage import fetch_one, inside_transaction

log = structlog.get_logger("jifen.outbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What rounds did, in numbers of streams and events."""

    streams: int = 0
    events: int = 0
    """Events that every consumer has taken, or that were parked."""
    stopped: int = 0
    """Streams that wait for another try."""
    parked: int = 0
    overtaken: int = 0
    """Streams whose lease ended before the round did; whoever took them over records them."""

    def __add__(self, other: Delivered) -> Delivered:
        return Delivered(
            streams=self.streams + other.streams,
            events=self.events + other.events,
            stopped=self.stopped + other.stopped,
            parked=self.parked + other.parked,
            overtaken=self.overtaken + other.overtaken,
        )


async def deliver(
    consumers: Sequence[Consumer], *, now: datetime, limits: DeliveryLimits | None = None
) -> Delivered:
    """One round: a bounded number of streams and events, the streams that are due longest first.

    Never inside a transaction. A worker that is killed during a round has its streams taken over
    when their lease ends, and their events handed over again.
    """
    assert not inside_transaction(), "no lock is held while consumers work"
    limits = limits or DeliveryLimits()
    started_at = monotonic()
    lease, leased = await claim(now=now, limits=limits)
    if not leased:
        return Delivered()
    try:
        each_max = share(
            [one.last_seq - one.delivered_seq for one in leased], events_max=limits.events_max
        )
        events = await read(leased, lease=lease, share=each_max)
        handing = Handing(limits=limits)
        for consumer in consumers:
            await handing.hand_over(consumer, events)
    except BaseException:
        # Where this fails too, the lease ends by itself.
        with suppress(Exception):
            await give_back(leased, lease=lease, now=now)
        raise
    ended_at = now + timedelta(seconds=monotonic() - started_at)
    streams = [
        settled(
            one,
            reached=_reached(one, events.get(one.member_id, ()), each_max=each_max),
            stop=handing.stops.get(one.member_id),
            begun_at=now,
            ended_at=ended_at,
            limits=limits,
        )
        for one in leased
    ]
    recorded = await record(streams, lease=lease, now=now)
    return _told(leased, recorded, stopped=handing.stops.keys())


async def drain(
    consumers: Sequence[Consumer],
    *,
    clock: Callable[[], datetime],
    limits: DeliveryLimits | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Delivered:
    """Rounds until nothing is due, or `stopping` says so between two of them."""
    limits = limits or DeliveryLimits()
    total = Delivered()
    while not stopping():
        delivered = await deliver(consumers, now=clock(), limits=limits)
        if not delivered.streams:
            break
        total += delivered
    while not stopping() and await deliver_replayed(consumers, now=clock(), limits=limits):
        pass
    return total


async def is_due(*, now: datetime) -> bool:
    """Whether a worker would find something to deliver. One cheap statement, and no lock."""
    row = await fetch_one(
        """
        SELECT EXISTS (SELECT 1 FROM outbox_stream
                       WHERE delivered_seq < last_seq AND due_at <= $1)
            OR EXISTS (SELECT 1 FROM outbox_parked WHERE replay_at <= $1) AS due
        """,
        now,
    )
    return row is not None and bool(row["due"])


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStatus:
    """How delivery stands."""

    undelivered: int
    """Events."""
    streams: int
    """Streams with undelivered events."""
    retrying: int
    """Streams that wait because a consumer failed."""
    parked: int
    oldest_at: datetime | None
    """When the oldest undelivered event was announced."""

    def lag_s(self, now: datetime) -> float:
        """For how long the oldest event has waited, 0 when none does."""
        return 0.0 if self.oldest_at is None else max(0.0, (now - self.oldest_at).total_seconds())


async def outbox_status() -> OutboxStatus:
    """How delivery stands. Reads the undelivered streams, whatever the number of delivered ones."""
    row = await fetch_one(
        """
        SELECT COUNT(*) AS streams,
               COALESCE(SUM(s.last_seq - s.delivered_seq), 0) AS undelivered,
               COALESCE(SUM(CASE WHEN s.attempts > 0 THEN 1 ELSE 0 END), 0) AS retrying,
               (SELECT COUNT(*) FROM outbox_parked) AS parked
        FROM outbox_stream AS s
        WHERE s.delivered_seq < s.last_seq
        """
    )
    assert row is not None
    oldest = await fetch_one(
        """
        SELECT e.announced_at
        FROM outbox_stream AS s
        JOIN outbox AS e ON e.member_id = s.member_id AND e.seq = s.delivered_seq + 1
        WHERE s.delivered_seq < s.last_seq
        ORDER BY e.announced_at
        LIMIT 1
        """
    )
    return OutboxStatus(
        undelivered=int(row["undelivered"]),
        streams=row["streams"],
        retrying=int(row["retrying"]),
        parked=row["parked"],
        oldest_at=None if oldest is None else oldest["announced_at"],
    )


def _reached(one: Leased, events: Sequence[Announced], *, each_max: int) -> int:
    """The number of the last event that was read; what is missing is passed over, and told."""
    expected = one.delivered_seq + 1
    if not events or events[0].seq != expected:
        log.error("outbox_gap", member_id=str(one.member_id), seq=expected)
    return events[-1].seq if events else min(one.last_seq, one.delivered_seq + each_max)


def _told(
    leased: Sequence[Leased], recorded: Sequence[Settled], *, stopped: Collection[UUID]
) -> Delivered:
    before = {one.member_id: one.delivered_seq for one in leased}
    parked = [(one, failure) for one in recorded for failure in one.parked]
    for stream, failure in parked:
        tell_parked(failure, attempts=stream.tries)
    if len(recorded) < len(leased):
        log.warning("outbox_lease_lost", streams=len(leased) - len(recorded))
    return Delivered(
        streams=len(leased),
        events=sum(one.delivered_seq - before[one.member_id] for one in recorded),
        stopped=sum(one.member_id in stopped and not one.parked for one in recorded),
        parked=len(parked),
        overtaken=len(leased) - len(recorded),
    )
