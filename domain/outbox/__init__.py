"""The transactional outbox: events announced inside a transaction, delivered after it committed.

An event is a fact in the past tense (`PointsChanged`). It is written by the transaction whose
effect it tells, so it exists exactly if the effect does. The events of one member are a stream:
numbered 1, 2, 3 ... without a gap, in the order in which their transactions committed
(decisions/0007). What concerns the programme and no member stands in a stream of its own; so does
what one partner alone is told.
"""

from domain.outbox.announcing import Event, announce, on_committed
from domain.outbox.consumers import Consumer, ConsumerUnavailable, consume_once
from domain.outbox.delivery import (
    Delivered,
    OutboxStatus,
    deliver,
    drain,
    is_due,
    outbox_status,
)
from domain.outbox.hints import publish_hints
from domain.outbox.live import Live
from domain.outbox.member_tables import MEMBER_TABLES
from domain.outbox.parking import Parked, parked, replay
from domain.outbox.retention import forget
from domain.outbox.rules import DeliveryLimits
from domain.outbox.streams import (
    POSITION,
    PROGRAMME,
    Announced,
    StreamPage,
    StreamPositionLost,
    first_kept,
    positions,
    stream,
    stream_page,
)

__all__ = [
    "MEMBER_TABLES",
    "POSITION",
    "PROGRAMME",
    "Announced",
    "Consumer",
    "ConsumerUnavailable",
    "Delivered",
    "DeliveryLimits",
    "Event",
    "Live",
    "OutboxStatus",
    "Parked",
    "StreamPage",
    "StreamPositionLost",
    "announce",
    "consume_once",
    "deliver",
    "drain",
    "first_kept",
    "forget",
    "is_due",
    "on_committed",
    "outbox_status",
    "parked",
    "positions",
    "publish_hints",
    "replay",
    "stream",
    "stream_page",
]
