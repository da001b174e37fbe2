"""Claiming streams for a round, and recording how far they came.

A stream is claimed by writing a lease into its row: one statement that commits at once and waits
for nobody, so no lock and no transaction is open while consumers work. `due_at` is then the end of
the lease: a stream whose worker died becomes due by itself. Whoever records must still hold the
lease, so one who was overtaken records nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from domain.outbox.parking import park
from domain.outbox.rules import DeliveryLimits, Leased, Settled
from domain.outbox.streams import Announced, announced_of
from domain.storage import Table, fetch_all, transaction

_STREAMS = Table(
    "outbox_stream",
    member_id="uuid",
    delivered_seq="bigint",
    attempts="integer",
    lease="uuid",
    due_at="timestamptz",
)

# The inner SELECT must run once: inside a CTE it does, as a plain subquery it may run per row.
_CLAIM = """
    UPDATE outbox_stream SET lease = $1, due_at = $2
    WHERE member_id IN (
        WITH due AS MATERIALIZED (
            SELECT member_id FROM outbox_stream
            WHERE delivered_seq < last_seq AND due_at <= $3
            ORDER BY due_at
            LIMIT $4
            FOR NO KEY UPDATE SKIP LOCKED
        )
        SELECT member_id FROM due
    )
    RETURNING member_id, delivered_seq, last_seq, attempts
"""

_READ = """
    SELECT e.member_id, e.seq, e.kind, e.payload, e.announced_at
    FROM outbox_stream AS s
    JOIN outbox AS e ON e.member_id = s.member_id
        AND e.seq > s.delivered_seq AND e.seq <= s.delivered_seq + $2
    WHERE s.member_id = ANY($1::uuid[]) AND s.lease = $3
    ORDER BY e.member_id, e.seq
"""


async def claim(*, now: datetime, limits: DeliveryLimits) -> tuple[UUID, Sequence[Leased]]:
    """Streams that are due, the longest due first, and the lease under which they are claimed."""
    lease = uuid4()
    rows = await fetch_all(
        _CLAIM, lease, now + timedelta(seconds=limits.lease_s), now, limits.streams_max
    )
    return lease, [
        Leased(
            member_id=row["member_id"],
            delivered_seq=row["delivered_seq"],
            last_seq=row["last_seq"],
            attempts=row["attempts"],
        )
        for row in rows
    ]


async def read(
    leased: Sequence[Leased], *, lease: UUID, share: int
) -> dict[UUID, Sequence[Announced]]:
    """The next events of each stream, at most `share` each, in the order of the streams."""
    found: dict[UUID, list[Announced]] = defaultdict(list)
    for row in await fetch_all(_READ, [one.member_id for one in leased], share, lease):
        found[row["member_id"]].append(announced_of(row))
    return dict(found)


async def record(streams: Collection[Settled], *, lease: UUID, now: datetime) -> Sequence[Settled]:
    """Record what became of the streams, end the lease, park; returns those that were still ours.

    The rows are locked in the order of the members' ids, as those who announce lock them.
    """
    by_member = {one.member_id: one for one in streams}

    async def work() -> Sequence[Settled]:
        rows = await fetch_all(
            """
            SELECT member_id FROM outbox_stream
            WHERE member_id = ANY($1::uuid[]) AND lease = $2
            ORDER BY member_id
            FOR NO KEY UPDATE
            """,
            list(by_member),
            lease,
        )
        held = [by_member[row["member_id"]] for row in rows]
        await _STREAMS.update(
            (
                {
                    "member_id": one.member_id,
                    "delivered_seq": one.delivered_seq,
                    "attempts": one.attempts,
                    "lease": None,
                    "due_at": one.due_at,
                }
                for one in held
            ),
            key=("member_id",),
        )
        await park(held, now=now)
        return held

    return await transaction(work)


async def give_back(leased: Sequence[Leased], *, lease: UUID, now: datetime) -> None:
    """Let go of streams of which nothing is to be recorded: they are due at once."""
    unchanged = [
        Settled(
            member_id=one.member_id,
            delivered_seq=one.delivered_seq,
            attempts=one.attempts,
            due_at=now,
        )
        for one in leased
    ]
    await record(unchanged, lease=lease, now=now)
