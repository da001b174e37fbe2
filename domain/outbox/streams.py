"""Reading streams of events by position."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from domain.storage import Row, fetch_all

PROGRAMME: Final = UUID(int=0)
"""The stream of the events that concern no member."""

POSITION: Final = "COALESCE((SELECT s.last_seq FROM outbox_stream AS s WHERE s.member_id = $1), 0)"
"""The newest number in the stream of $1, 0 before the first: for statements of other contexts."""


class StreamPositionLost(Exception):
    """Raised when a stream cannot be followed from a position: too old to be kept, or never there.

    Events are deleted when they are old (see operations); a database that was restored from a
    backup may never have had the position. Whoever followed must fetch everything anew.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """An event as it stands in its stream; `seq` counts from 1 without a gap."""

    member_id: UUID
    seq: int
    kind: str
    facts: Mapping[str, Any]
    announced_at: datetime

    @property
    def key(self) -> str:
        """What names the event in the whole programme."""
        return f"{self.member_id}:{self.seq}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPage:
    """Events in order; `end` is the position after them, `last` that of the whole stream."""

    events: Sequence[Announced]
    end: int
    last: int


# The position comes along, so that an end of the stream is told from a loss of its beginning.
_STREAM = """
    SELECT s.last_seq, e.member_id, e.seq, e.kind, e.payload, e.announced_at
    FROM outbox_stream AS s
    LEFT JOIN outbox AS e ON e.member_id = s.member_id AND e.seq > $2
    WHERE s.member_id = $1
    ORDER BY e.seq
    LIMIT $3
"""


async def stream(member_id: UUID, *, after: int, limit: int) -> Sequence[Announced]:
    """The events of `stream_page`."""
    return (await stream_page(member_id, after=after, limit=limit)).events


async def stream_page(member_id: UUID, *, after: int, limit: int) -> StreamPage:
    """The first `limit` events after position `after`. One statement.

    Raises StreamPositionLost when what follows `after` is no longer kept, or when `after` lies
    beyond the end.
    """
    rows = await fetch_all(_STREAM, member_id, after, limit)
    last = rows[0]["last_seq"] if rows else 0
    first = rows[0]["seq"] if rows else None
    if after > last or (after < last and first != after + 1):
        raise StreamPositionLost
    events = [announced_of(row) for row in rows if row["seq"] is not None]
    return StreamPage(events=events, end=after + len(events), last=last)


async def first_kept(member_id: UUID) -> int:
    """The position before the oldest event that is kept: where `stream` can begin."""
    [row] = await fetch_all(
        "SELECT COALESCE((SELECT MIN(e.seq) - 1 FROM outbox AS e WHERE e.member_id = $1), "
        f"{POSITION}) AS position",
        member_id,
    )
    position: int = row["position"]
    return position


async def positions(member_ids: Collection[UUID]) -> dict[UUID, int]:
    """The newest number of each stream, 0 before its first event. One statement."""
    found = dict.fromkeys(member_ids, 0)
    rows = await fetch_all(
        "SELECT member_id, last_seq FROM outbox_stream WHERE member_id = ANY($1::uuid[])",
        list(found),
    )
    found.update((row["member_id"], row["last_seq"]) for row in rows)
    return found


def announced_of(row: Row) -> Announced:
    """The event in a row of the table."""
    return Announced(
        member_id=row["member_id"],
        seq=row["seq"],
        kind=row["kind"],
        facts=orjson.loads(row["payload"]),
        announced_at=row["announced_at"],
    )
