"""Parked events: those that a consumer failed at as often as it may, kept until they are replayed.

A parked event carries all that is needed to hand it over again, so it outlives the event's own
row. Replaying is asked for by a person and done by the workers, who know the consumers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from domain.outbox.consumers import Consumer
from domain.outbox.handing import attempt, failure_of
from domain.outbox.rules import DeliveryLimits, Failure, Settled
from domain.outbox.streams import Announced, announced_of
from domain.storage import Row, execute, execute_many, fetch_all

log = structlog.get_logger("jifen.outbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """An event that a consumer did not take; `error` is the class of the last failure."""

    event: Announced
    consumer: str
    error: str
    detail: str
    attempts: int
    parked_at: datetime
    replay_at: datetime | None
    """When it is handed over again; None until somebody asks for it."""


# Whoever restored a backup may meet an event again that was parked before.
_PARK = """
    INSERT INTO outbox_parked (member_id, seq, consumer, kind, payload, announced_at,
                               error, detail, attempts, parked_at)
    SELECT e.member_id, e.seq, $3::text, e.kind, e.payload, e.announced_at,
           $4::text, $5::text, $6::integer, $7::timestamptz
    FROM outbox AS e
    WHERE e.member_id = $1 AND e.seq = $2
    ON CONFLICT DO NOTHING
"""


async def park(streams: Iterable[Settled], *, now: datetime) -> None:
    """Keep what is to be parked; in the transaction that passes over the events."""
    rows = [
        (one.member_id, one.seq, one.consumer, one.error, one.detail, stream.tries, now)
        for stream in streams
        for one in stream.parked
    ]
    if rows:
        await execute_many(_PARK, rows)


async def parked(*, first: int) -> Sequence[Parked]:
    """The first parked events, the oldest first."""
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM outbox_parked ORDER BY parked_at, member_id, seq LIMIT $1", first
    )
    return [_parked(row) for row in rows]


async def replay(*, now: datetime, event: str | None = None, consumer: str | None = None) -> int:
    """Let workers hand parked events over again; returns how many.

    `event` names one as `Announced.key` does, `consumer` those of one consumer; without either all.
    """
    member_id, _, seq = (event or "").partition(":")
    if event is not None and not seq.isdecimal():
        return 0
    return await execute(
        """
        UPDATE outbox_parked SET replay_at = $1
        WHERE ($2 = '' OR consumer = $2)
          AND ($3 = '' OR (CAST(member_id AS TEXT) = $3 AND seq = $4))
        """,
        now,
        consumer or "",
        member_id,
        int(seq or 0),
    )


_COLUMNS: Final = (
    "member_id, seq, consumer, kind, payload, announced_at, "
    "error, detail, attempts, parked_at, replay_at"
)

# As with streams: what is claimed becomes due again by itself when its worker dies.
_CLAIM = f"""
    UPDATE outbox_parked SET replay_at = $1
    WHERE (member_id, seq, consumer) IN (
        WITH due AS MATERIALIZED (
            SELECT member_id, seq, consumer FROM outbox_parked
            WHERE replay_at <= $2
            ORDER BY replay_at, member_id, seq
            LIMIT 1
            FOR NO KEY UPDATE SKIP LOCKED
        )
        SELECT member_id, seq, consumer FROM due
    )
    RETURNING {_COLUMNS}
"""


async def deliver_replayed(
    consumers: Sequence[Consumer], *, now: datetime, limits: DeliveryLimits
) -> bool:
    """Hand over one event that is to be replayed, the oldest of them; False when there is none."""
    rows = await fetch_all(_CLAIM, now + timedelta(seconds=limits.lease_s), now)
    for one in map(_parked, rows):
        consumer = next((other for other in consumers if other.name == one.consumer), None)
        await _deliver_one(one, consumer, now=now, within_s=limits.call_s)
    return bool(rows)


async def _deliver_one(
    one: Parked, consumer: Consumer | None, *, now: datetime, within_s: float
) -> None:
    key = (one.event.member_id, one.event.seq, one.consumer)
    raised: Exception | None = LookupError(f"no consumer is called {one.consumer}")
    if consumer is not None:
        raised = await attempt(consumer, [one.event], within_s=within_s)
    if raised is None:
        await execute(
            "DELETE FROM outbox_parked WHERE member_id = $1 AND seq = $2 AND consumer = $3", *key
        )
        log.info("outbox_replayed", consumer=one.consumer, announced=one.event.key)
        return
    failure = failure_of(one.consumer, one.event, raised)
    await execute(
        """
        UPDATE outbox_parked
        SET replay_at = NULL, error = $4, detail = $5, attempts = attempts + 1, parked_at = $6
        WHERE member_id = $1 AND seq = $2 AND consumer = $3
        """,
        *key,
        failure.error,
        failure.detail,
        now,
    )
    tell_parked(failure, attempts=one.attempts + 1)


def tell_parked(failure: Failure, *, attempts: int) -> None:
    """The alert: a person must look, and replay what was parked when its cause is gone."""
    log.error(
        "outbox_parked",
        consumer=failure.consumer,
        announced=f"{failure.member_id}:{failure.seq}",
        kind=failure.kind,
        error=failure.error,
        attempts=attempts,
    )


def _parked(row: Row) -> Parked:
    return Parked(
        event=announced_of(row),
        consumer=row["consumer"],
        error=row["error"],
        detail=row["detail"],
        attempts=row["attempts"],
        parked_at=row["parked_at"],
        replay_at=row["replay_at"],
    )
