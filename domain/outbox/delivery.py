"""Delivering the outbox: each member's events in their order, at least once, by any worker.

A round claims streams, reads what follows in each, hands it to every consumer, and records how far
each stream came. Any number of workers may run rounds at once; a stream belongs to one of them at a
time (`leases`). What a consumer fails at is tried again alone, later and later, and parked in the
end, so that the member's later events go on (`rules`, `parking`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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
    """One round: the streams that are longest due, a bounded number of events. Never in a transaction.

    A worker that is killed during a round has its streams taken over when their lease ends, and
    their events handed over again.
    """
    assert not inside_transaction(), "no lock is held while consumers work"
    limits = limits or DeliveryLimits()
    lease, leased = await claim(now=now, limits=limits)
    if not leased:
        return Delivered()
    try:
        events, stops = await _hand_over(consumers, leased, lease=lease, limits=limits)
        streams = [
            settled(
                one,
                reached=_reached(one, events.get(one.member_id, ())),
                stop=stops.get(one.member_id),
                now=now,
                limits=limits,
            )
            for one in leased
        ]
    except BaseException:
        await give_back(leased, lease=lease, now=now)
        raise
    recorded = await record(streams, lease=lease, now=now)
    return _told(leased, recorded, stopped=len(stops))
