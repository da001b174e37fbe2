"""Closing tickets: what is resolved and nobody says more in, and whatever is of the erased."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
import structlog

from domain.errors import Refusal
from domain.feedback.acting import SYSTEM, Step, lock_any, take
from domain.feedback.breaches import note_unpaid
from domain.feedback.rules import NO_DEADLINE, REOPENED_WITHIN, Act, TicketStatus
from domain.storage import (
    TransactionContended,
    execute,
    fetch_all,
    inside_transaction,
    transaction,
)

log = structlog.get_logger("jifen.feedback")

CLOSED_AT_ONCE: Final = 200

_EVENTS: Final = """
    INSERT INTO ticket_event
        (member_id, ticket_id, seq, at, kind, actor_kind, actor_id, facts, came_with)
    SELECT t.member_id, t.id,
        (SELECT COALESCE(MAX(e.seq), 0) + 1 FROM ticket_event AS e
         WHERE e.member_id = t.member_id AND e.ticket_id = t.id),
        $2, $3, $4, NULL, $5, t.came_with
    FROM ticket AS t WHERE t.member_id = ANY($1::uuid[]) AND t.closed_at IS NULL
"""
_CLOSE: Final = """
    UPDATE ticket SET status = 'CLOSED', closed_at = $2, due_at = $3, paused_at = NULL,
        version = version + 1
    WHERE member_id = ANY($1::uuid[]) AND closed_at IS NULL
"""


async def close_silent(*, now: datetime, at_once: int = CLOSED_AT_ONCE) -> int:
    """Close what was resolved longer than REOPENED_WITHIN ago; how many. One transaction each.

    One that cannot be closed does not stop the rest: it is logged, and the next run tries again.
    """
    rows = await fetch_all(
        "SELECT id FROM ticket WHERE status = 'RESOLVED' AND resolved_at < $1"
        " ORDER BY resolved_at, id LIMIT $2",
        *(now - REOPENED_WITHIN, at_once),
    )
    return sum([await _tried(row["id"], now=now) for row in rows])


async def close_of_erased(member_ids: Collection[UUID], *, now: datetime) -> None:
    """Close whatever is open of these members, in the transaction that erases them.

    What was promised and missed by then is noted for the statistics; nobody is paid or told.
    """
    assert inside_transaction(), "a ticket of nobody is never open"
    ids = list(member_ids)
    await note_unpaid(ids, now=now)
    facts = orjson.dumps({"status": TicketStatus.CLOSED.value}).decode()
    await execute(_EVENTS, ids, now, Act.CLOSED.value, SYSTEM.author.value, facts)
    await execute(_CLOSE, ids, now, NO_DEADLINE)


async def _tried(ticket_id: UUID, *, now: datetime) -> int:
    try:
        return await _close(ticket_id, now=now)
    except (Refusal, TransactionContended) as fault:
        log.warning("ticket_not_closed", ticket=str(ticket_id), error=type(fault).__name__)
        return 0


async def _close(ticket_id: UUID, *, now: datetime) -> int:
    async def work() -> int:
        ticket = await lock_any(ticket_id)
        resolved_at = ticket.sla.resolved_at
        if ticket.status is not TicketStatus.RESOLVED or resolved_at is None:
            return 0
        if now - resolved_at <= REOPENED_WITHIN:
            return 0
        await take(ticket, Step(act=Act.CLOSED, by=SYSTEM), now=now)
        return 1

    return await transaction(work)
