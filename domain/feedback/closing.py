"""Closing what is done: resolved tickets of which nobody has said anything for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from domain.errors import TicketUnknown
from domain.feedback.acting import SYSTEM, Step, lock_any, take
from domain.feedback.rules import REOPENED_WITHIN, Act, TicketStatus
from domain.storage import fetch_all, transaction

CLOSED_AT_ONCE: Final = 200


async def close_silent(*, now: datetime, at_once: int = CLOSED_AT_ONCE) -> int:
    """Close what was resolved longer than REOPENED_WITHIN ago; how many. One transaction each."""
    rows = await fetch_all(
        "SELECT id FROM ticket WHERE status = 'RESOLVED' AND resolved_at < $1"
        " ORDER BY resolved_at, id LIMIT $2",
        *(now - REOPENED_WITHIN, at_once),
    )
    return sum([await _close(row["id"], now=now) for row in rows])


async def _close(ticket_id: UUID, *, now: datetime) -> int:
    async def work() -> int:
        try:
            ticket = await lock_any(ticket_id)
        except TicketUnknown:
            return 0
        resolved_at = ticket.sla.resolved_at
        if ticket.status is not TicketStatus.RESOLVED or resolved_at is None:
            return 0
        if now - resolved_at <= REOPENED_WITHIN:
            return 0
        await take(ticket, Step(act=Act.CLOSED, by=SYSTEM), now=now)
        return 1

    return await transaction(work)
