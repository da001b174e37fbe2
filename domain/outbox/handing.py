"""Handing events over to their consumers: together, and one by one where that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final
from uuid import UUID

import structlog

from domain.outbox.consumers import Consumer, ConsumerUnavailable
from domain.outbox.rules import DETAIL_MAX, DeliveryLimits, Failure, Stop, earliest
from domain.outbox.streams import Announced
from domain.storage import StorageFault

log = structlog.get_logger("jifen.outbox")

FAILURES_IN_A_ROW_MAX: Final = 5
"""After so many the consumer is at fault rather than its events: the others are not tried."""


class _OutOfTime(Exception):
    """The round may hand over nothing more."""


_NOBODY_TO_BLAME: Final = (ConsumerUnavailable, StorageFault, _OutOfTime)


@dataclass(slots=True)
class Handing:
    """One round of handing over; `stops` says which streams stopped, and where."""

    limits: DeliveryLimits
    stops: dict[UUID, Stop] = field(default_factory=dict)
    _ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._ends_at = monotonic() + self.limits.round_s

    async def hand_over(
        self, consumer: Consumer, streams: Mapping[UUID, Sequence[Announced]]
    ) -> None:
        """Hand a consumer what it wants of these streams, all at once, or else one by one."""
        wanted = {
            member_id: chosen
            for member_id, events in streams.items()
            if (chosen := [event for event in events if consumer.wants(event)])
        }
        if not wanted:
            return
        batch = [event for chosen in wanted.values() for event in chosen]
        raised = await self._try(consumer, batch)
        if raised is None:
            return
        if isinstance(raised, _NOBODY_TO_BLAME):
            for member_id, events in wanted.items():
                self._stop(member_id, Stop(seq=events[0].seq, put_off=True))
        elif len(batch) == 1:
            self._refused(consumer, batch[0], raised)
        else:
            await self._one_by_one(consumer, wanted)

    async def _one_by_one(
        self, consumer: Consumer, wanted: Mapping[UUID, Sequence[Announced]]
    ) -> None:
        in_a_row = 0
        for member_id, events in wanted.items():
            for event in events:
                if in_a_row >= FAILURES_IN_A_ROW_MAX:
                    self._stop(member_id, Stop(seq=event.seq, put_off=True))
                    break
                raised = await self._try(consumer, [event])
                if raised is not None:
                    in_a_row += 1
                    self._refused(consumer, event, raised)
                    # What follows in this stream waits: order is kept.
                    break
                in_a_row = 0

    async def _try(self, consumer: Consumer, events: Sequence[Announced]) -> Exception | None:
        """What the consumer raised, if anything."""
        left_s = self._ends_at - monotonic()
        if left_s <= 0:
            return _OutOfTime()
        within_s = self.limits.call_s
        raised = await attempt(consumer, events, within_s=min(left_s, within_s))
        if isinstance(raised, TimeoutError) and left_s < within_s:
            # The round was over before the consumer had its time.
            return _OutOfTime()
        return raised

    def _refused(self, consumer: Consumer, event: Announced, raised: Exception) -> None:
        if isinstance(raised, _NOBODY_TO_BLAME):
            self._stop(event.member_id, Stop(seq=event.seq, put_off=True))
        else:
            failure = failure_of(consumer.name, event, raised)
            self._stop(event.member_id, Stop(seq=event.seq, failures=(failure,)))

    def _stop(self, member_id: UUID, stop: Stop) -> None:
        self.stops[member_id] = earliest(self.stops.get(member_id), stop)


async def attempt(
    consumer: Consumer, events: Sequence[Announced], *, within_s: float
) -> Exception | None:
    """Hand the events over; what the consumer raised (TimeoutError included), if anything."""
    try:
        async with asyncio.timeout(within_s):
            await consumer.handle(events)
    except Exception as raised:
        log.warning(
            "consumer_failed",
            consumer=consumer.name,
            events=len(events),
            first=events[0].key,
            error=type(raised).__name__,
        )
        return raised
    return None


def failure_of(consumer: str, event: Announced, raised: Exception) -> Failure:
    """What is told of a failure."""
    return Failure(
        consumer=consumer,
        member_id=event.member_id,
        seq=event.seq,
        kind=event.kind,
        error=type(raised).__name__,
        detail="".join(filter(str.isprintable, str(raised)))[:DETAIL_MAX],
    )
