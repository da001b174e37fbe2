"""Announcing: what a transaction tells is written as its last step.

The rows of the streams are locked there and nowhere else, in the order of the members' ids, after
every other lock of the transaction. So the numbers of a stream follow the order of the commits,
and announcing never closes a circle of waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import orjson
import structlog

from domain.outbox.streams import PROGRAMME
from domain.storage import (
    Table,
    dialect,
    execute,
    execute_many,
    inside_transaction,
    transaction,
    until_commit,
)

log = structlog.get_logger("jifen.outbox")

Listener = Callable[[frozenset[UUID]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: to a member, or to the programme (`member_id` None).

    `member_id` of what a partner alone is told is its account: that stream is nobody else's, so it
    makes no answer stale, and no other partner waits for it.
    """

    kind: str
    member_id: UUID | None
    facts: Mapping[str, Any]


async def announce(events: Iterable[Event], *, now: datetime) -> None:
    """Tell the events when the transaction commits, each member's in the order of the telling.

    They are written by the transaction's last statement (two on SQLite), whatever their number
    and however often this was called. Outside a transaction they are written at once.
    """
    told = [(event, now) for event in events]
    if not told:
        return
    if inside_transaction():
        until_commit(_Telling).add(told)
        return

    async def tell() -> None:
        until_commit(_Telling).add(told)

    await transaction(tell)


_listeners: list[Listener] = []


def on_committed(listener: Listener) -> Callable[[], None]:
    """Call `listener` after each commit with those whose streams grew; returns how to stop it.

    It runs in the event loop between the commit and the answer, so it must not wait.
    """
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


class _Telling:
    """The events of one transaction until it commits."""

    rank: ClassVar[int] = 0

    def __init__(self) -> None:
        self._events: list[tuple[Event, datetime]] = []

    def add(self, events: Iterable[tuple[Event, datetime]]) -> None:
        self._events += events

    async def before_commit(self) -> None:
        growth = Counter(_stream_of(event) for event, _ in self._events)
        left = Counter(growth)
        rows: list[dict[str, Any]] = []
        for event, now in self._events:
            member_id = _stream_of(event)
            left[member_id] -= 1
            rows.append(
                {
                    "member_id": member_id,
                    "back": left[member_id],
                    "kind": event.kind,
                    "payload": orjson.dumps(event.facts).decode(),
                    "announced_at": now,
                }
            )
        # The order in which the rows are locked.
        streams = sorted(growth.items())
        now = self._events[-1][1]
        if dialect() == "postgres":
            await _write_on_postgres(streams, rows, now=now)
        else:
            await _write_on_sqlite(streams, rows, now=now)

    def after_commit(self) -> None:
        grown = frozenset(_stream_of(event) for event, _ in self._events)
        for listener in _listeners:
            try:
                listener(grown)
            except Exception:
                # What was committed stays so; delivery finds it without being told.
                log.exception("listener_failed")


def _stream_of(event: Event) -> UUID:
    return PROGRAMME if event.member_id is None else event.member_id


_GROW = """
    (member_id) DO UPDATE SET
        last_seq = outbox_stream.last_seq + EXCLUDED.last_seq,
        due_at = CASE WHEN outbox_stream.delivered_seq = outbox_stream.last_seq
                      THEN EXCLUDED.due_at ELSE outbox_stream.due_at END
"""
"""A stream that waits for a retry, or is being delivered, keeps its time."""

_STREAMS = Table("outbox_stream", member_id="uuid", last_seq="bigint", due_at="timestamptz")

# `back` counts the events of the same stream that follow in the batch.
_WRITE_ON_POSTGRES = f"""
    WITH grown AS (
        INSERT INTO outbox_stream (member_id, last_seq, due_at)
        SELECT g.member_id, g.growth, $3::timestamptz
        FROM unnest($1::uuid[], $2::bigint[]) AS g (member_id, growth)
        ORDER BY g.member_id
        ON CONFLICT {_GROW}
        RETURNING member_id, last_seq
    )
    INSERT INTO outbox (member_id, seq, kind, payload, announced_at)
    SELECT e.member_id, grown.last_seq - e.back, e.kind, e.payload, e.announced_at
    FROM unnest($4::uuid[], $5::bigint[], $6::text[], $7::jsonb[], $8::timestamptz[])
         AS e (member_id, back, kind, payload, announced_at)
    JOIN grown ON grown.member_id = e.member_id
"""

_WRITE_ON_SQLITE = """
    INSERT INTO outbox (member_id, seq, kind, payload, announced_at)
    SELECT s.member_id, s.last_seq - $2, $3, $4, $5 FROM outbox_stream AS s WHERE s.member_id = $1
"""


async def _write_on_postgres(
    streams: list[tuple[UUID, int]], rows: list[dict[str, Any]], *, now: datetime
) -> None:
    await execute(
        _WRITE_ON_POSTGRES,
        [member_id for member_id, _ in streams],
        [growth for _, growth in streams],
        now,
        *([row[column] for row in rows] for column in rows[0]),
    )


async def _write_on_sqlite(
    streams: list[tuple[UUID, int]], rows: list[dict[str, Any]], *, now: datetime
) -> None:
    await _STREAMS.insert(
        (
            {"member_id": member_id, "last_seq": growth, "due_at": now}
            for member_id, growth in streams
        ),
        or_update=_GROW,
    )
    await execute_many(_WRITE_ON_SQLITE, [tuple(row.values()) for row in rows])
