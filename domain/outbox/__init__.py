"""The transactional outbox: events announced inside a transaction, delivered after it committed.

An event is a fact in the past tense (`PointsEarned`). It is written by the transaction whose effect
it tells, so it exists exactly if the effect does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain.storage import Table

_OUTBOX = Table(
    "outbox", member_id="uuid", kind="text", payload="jsonb", announced_at="timestamptz"
)


LAST_EVENT_ID = "(SELECT o.id FROM outbox AS o WHERE o.member_id = $1 ORDER BY o.id DESC LIMIT 1)"
"""The newest event of the member $1, NULL before the first: for statements of other contexts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: to a member, or to the programme (`member_id` None)."""

    kind: str
    member_id: UUID | None
    facts: Mapping[str, Any]


async def announce(events: Iterable[Event], *, now: datetime) -> None:
    """Write the events in their order; one statement whatever their number."""
    await _OUTBOX.insert(
        {
            "member_id": event.member_id,
            "kind": event.kind,
            "payload": orjson.dumps(event.facts).decode(),
            "announced_at": now,
        }
        for event in events
    )


__all__ = ["LAST_EVENT_ID", "Event", "announce"]
