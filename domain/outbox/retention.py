"""Forgetting events that are old and were delivered."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.storage import execute_many, fetch_all, transaction

EVENTS_AT_ONCE: Final = 5_000

# Only a beginning of a stream is ever deleted, although events that were announced at about the
# same time may stand in another order of time than of number: a reader must find either every
# event after its position, or that the first is gone.
_OLD = """
    SELECT old.member_id, MAX(old.seq) AS upto, COUNT(*) AS events
    FROM (
        SELECT e.member_id, e.seq
        FROM outbox AS e
        JOIN outbox_stream AS s ON s.member_id = e.member_id AND e.seq <= s.delivered_seq
        WHERE e.announced_at < $1
        ORDER BY e.announced_at
        LIMIT $2
    ) AS old
    GROUP BY old.member_id
    ORDER BY old.member_id
"""


_FORGET_MARKS = """
    DELETE FROM outbox_consumed
    WHERE member_id = $1 AND seq <= $2
        AND NOT EXISTS (
            SELECT 1 FROM outbox_parked AS p
            WHERE p.member_id = outbox_consumed.member_id AND p.seq = outbox_consumed.seq
        )
"""
_FORGET_EVENTS = "DELETE FROM outbox WHERE member_id = $1 AND seq <= $2"


async def forget(*, before: datetime, events_max: int = EVENTS_AT_ONCE) -> int:
    """Delete delivered events that were announced before this moment, some of the oldest.

    Returns how many it found, 0 when there are none left. The marks of consumers that consumed
    them go with them, but those of parked events stay: such an event may be handed over again, and
    must not have its effect twice. Who follows a stream from a deleted position gets
    StreamPositionLost.
    """
    rows = await fetch_all(_OLD, before, events_max)
    ends = [(row["member_id"], row["upto"]) for row in rows]

    async def work() -> None:
        for forgotten in (_FORGET_MARKS, _FORGET_EVENTS):
            await execute_many(forgotten, ends)

    if ends:
        await transaction(work)
    return sum(row["events"] for row in rows)
