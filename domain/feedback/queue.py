"""The queue of staff: the most urgent tickets first, of them what is due first.

One page costs one range of an index for each status that is asked for, however many tickets there
are: the ranges are read in the order of the queue and laid into one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain import access, audit
from domain.audit import Actor
from domain.feedback.kinds import FeedbackKind
from domain.feedback.rules import OPEN_STATES, TicketStatus
from domain.feedback.tickets import TICKET_COLUMNS, Ticket, find_ticket, ticket_of
from domain.paging import Key, Page, PageRequest, page_of
from domain.storage import Row, fetch_all, transaction

_BEGINNING: Final = (-9, datetime(1, 1, 2, tzinfo=UTC), UUID(int=0))
_ORDER: Final = "rank, due_at, id"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOf:
    """Which tickets: those that stand so, of whom, and who has them in hand, by login."""

    statuses: Sequence[TicketStatus] = OPEN_STATES
    assignee: str | None = None
    topic: str | None = None
    kind: FeedbackKind | None = None
    member_id: UUID | None = None


async def ticket_queue(page: PageRequest, *, of: QueueOf, by: Actor, now: datetime) -> Page[Ticket]:
    """A page of the queue, by the key (rank, due_at, id); the look is in the audit log.

    A ticket's rank is -priority. Of no statuses at all the page is empty.
    """

    async def work() -> Page[Ticket]:
        assignee_id = await _assignee(of)
        if not of.statuses or (of.assignee is not None and assignee_id is None):
            rows: Sequence[Row] = []
        else:
            statement, values = queue_statement(page, of=of, assignee_id=assignee_id)
            rows = await fetch_all(statement, *values)
        found = [ticket_of(row) for row in rows]
        shown = [one.number for one in found[: page.first]]
        statuses = [one.value for one in of.statuses]
        audit.record(by, "tickets.read", after={"status": statuses, "tickets": shown}, now=now)
        return page_of(found, first=page.first, key=queue_key)

    return await transaction(work)


async def looked_up(ticket_id: UUID, *, by: Actor, now: datetime) -> Ticket | None:
    """One ticket as staff sees it; the look is in the audit log."""

    async def work() -> Ticket | None:
        found = await find_ticket(ticket_id)
        target = None if found is None else audit.Target(kind="member", id=str(found.member_id))
        audit.record(by, "ticket.read", target=target, after={"ticket": str(ticket_id)}, now=now)
        return found

    return await transaction(work)


def queue_key(ticket: Ticket) -> Key:
    """Where the ticket stands in the queue."""
    return (-ticket.priority, ticket.due_at, ticket.id)


async def _assignee(of: QueueOf) -> UUID | None:
    account = None if of.assignee is None else await access.find_account(of.assignee)
    return None if account is None else account.id


def queue_statement(
    page: PageRequest, *, of: QueueOf, assignee_id: UUID | None = None
) -> tuple[str, Sequence[object]]:
    """The statement of a page, and its values."""
    values: list[object] = [*(page.after or _BEGINNING), page.limit]
    filters = ""
    for column, value in (
        ("assignee", assignee_id),
        ("topic", of.topic),
        ("kind", None if of.kind is None else of.kind.value),
        ("member_id", of.member_id),
    ):
        if value is not None:
            values.append(value)
            filters += f" AND {column} = ${len(values)}"
    parts = []
    for status in dict.fromkeys(of.statuses):
        values.append(status.value)
        parts.append(
            f"SELECT * FROM (SELECT {TICKET_COLUMNS}, rank FROM ticket"
            f" WHERE status = ${len(values)}{filters}"
            f" AND (rank, due_at, id) > ($1, $2, $3) ORDER BY {_ORDER} LIMIT $4) AS q"
        )
    together = " UNION ALL ".join(parts)
    statement = f"SELECT * FROM ({together}) AS found ORDER BY {_ORDER} LIMIT $4"
    return statement, values
