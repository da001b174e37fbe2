"""Telling duplicates on in one ticket: their messages stand in it, and it keeps their promises.

What was missed of a duplicate by then is noted and paid in the merge. What is promised of it still
goes over: the ticket that goes on has the earlier deadline of the two, the greater of what they
pay, the stricter kind and the higher priority. A promise that the ticket has met or missed itself
stays as it is. Where a duplicate waits for us, the ticket does so from then on: it is open again,
with the time that it had left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.errors import InvalidInput, TicketNotOpen, TicketsNotMergeable
from domain.feedback.acting import SYSTEM, By, Step, lock_any, stands_since, take
from domain.feedback.breaches import note_missed
from domain.feedback.defining_service import calendars_at
from domain.feedback.kinds import FeedbackKind
from domain.feedback.rules import STANDING_STILL, Act, TicketStatus
from domain.feedback.sla import put_off
from domain.feedback.tickets import Ticket, TicketSla, find_ticket
from domain.storage import execute, fetch_all, inside_transaction

DUPLICATES_MAX: Final = 20

_STRICTER: Final = (
    *(FeedbackKind.PRAISE, FeedbackKind.SUGGESTION, FeedbackKind.QUESTION),
    *(FeedbackKind.COMPLAINT, FeedbackKind.LOSS),
)
"""Kinds in the order in which one of them takes a ticket over: each before all that follow."""

_PARTED: Final = """
    SELECT t.id FROM ticket AS t JOIN ticket AS s ON s.id = t.merged_into
    WHERE t.member_id = ANY($1::uuid[]) AND s.member_id <> t.member_id ORDER BY t.id
"""


async def merge_into(
    ticket: Ticket, duplicate_ids: Sequence[UUID], *, by: By, now: datetime
) -> Ticket:
    """Tell the duplicates on in the ticket, which is locked; it as it is then: perhaps open again.

    Refused: InvalidInput, TicketNotOpen, TicketUnknown, TicketsNotMergeable; and what the member's
    account refuses, where something that was missed is paid.
    """
    if not 1 <= len(duplicate_ids) <= DUPLICATES_MAX:
        raise InvalidInput(field=("duplicate_ids",), rule=f"1 to {DUPLICATES_MAX}")
    if ticket.over:
        raise TicketNotOpen(state=ticket.status.value, field=("ticket_id",))
    found = []
    for duplicate_id in duplicate_ids:
        duplicate = await lock_any(duplicate_id, named=("duplicate_ids",))
        if duplicate.member_id != ticket.member_id or duplicate.id == ticket.id:
            raise TicketsNotMergeable(field=("duplicate_ids",))
        found.append(await note_missed(duplicate, now=now))
    opens = any(one.status is TicketStatus.OPEN for one in found)
    opens = opens and ticket.status is not TicketStatus.OPEN
    into = await note_missed(ticket, now=now)
    for duplicate in found:
        into = await _promised_both(into, duplicate, opens=opens, now=now)
        await _merge(duplicate, ticket, by=by, now=now)
    act = Act.OPENED_BY_MERGE if opens else Act.TOOK_OVER
    facts = {"duplicates": [str(one) for one in duplicate_ids]}
    values = {
        "kind": into.kind.value,
        "priority": into.priority,
        **await _pays(into, duplicate_ids, opens=opens),
    }
    if opens and ticket.status is TicketStatus.RESOLVED:
        values["reopened"] = ticket.reopened + 1
    return await take(into, Step(act=act, by=by, values=values, facts=facts), now=now)


async def part_tickets(member_ids: Sequence[UUID], *, now: datetime) -> None:
    """Open again what was told on in a ticket of another one of these members, who are parted.

    It waits for us, with as much time left as there was when it was merged. Inside the transaction
    that parts them, with their tickets where they belong.
    """
    assert inside_transaction(), "nobody's ticket is told on in somebody else's"
    for row in await fetch_all(_PARTED, sorted(member_ids)):
        ticket = await find_ticket(row["id"], lock=True)
        assert ticket is not None, "tickets are never deleted"
        step = Step(act=Act.PARTED, by=SYSTEM, values={"merged_into": None})
        await take(ticket, step, now=now)


async def _merge(duplicate: Ticket, into: Ticket, *, by: By, now: datetime) -> None:
    # What was told on in the duplicate is told on where that one is now.
    await execute(
        "UPDATE ticket SET merged_into = $3 WHERE member_id = $1 AND merged_into = $2",
        *(into.member_id, duplicate.id, into.id),
    )
    step = Step(
        act=Act.MERGED, by=by, values={"merged_into": into.id}, facts={"into": str(into.id)}
    )
    await take(duplicate, step, now=now)


async def _promised_both(into: Ticket, duplicate: Ticket, *, opens: bool, now: datetime) -> Ticket:
    """The ticket with what is promised of the duplicate still; whether it is opened by it."""
    since, until = await _runs_from(duplicate, now=now), await _runs_from(into, now=now)
    version = duplicate.sla.calendar_version
    hours = (await calendars_at([version]))[version].hours

    ours, theirs = _open(into.sla, opens=opens), _open(duplicate.sla)

    def earlier(name: str, own: datetime | None) -> datetime | None:
        other = theirs.get(name)
        if name not in ours or other is None:
            return own
        if since != until:
            other = put_off(hours, other, since=since, until=until)
        return other if own is None else min(own, other)

    answer_by = earlier("answer_by", into.sla.answer_by)
    resolve_by = earlier("resolve_by", into.sla.resolve_by)
    return replace(
        into,
        kind=max(into.kind, duplicate.kind, key=_STRICTER.index),
        priority=max(into.priority, duplicate.priority),
        sla=replace(into.sla, answer_by=answer_by, resolve_by=resolve_by),
    )


async def _runs_from(ticket: Ticket, *, now: datetime) -> datetime:
    """From when on what is left of its time counts: while it stands still, from the pause on."""
    return await stands_since(ticket) if ticket.status in STANDING_STILL else now


def _open(sla: TicketSla, *, opens: bool = False) -> Mapping[str, datetime | None]:
    """The promises that are neither kept nor broken yet, with their deadlines.

    What is opened now is not resolved, whatever it was.
    """
    found: dict[str, datetime | None] = {}
    if sla.answered_at is None and not sla.answer_breached:
        found["answer_by"] = sla.answer_by
    if (opens or sla.resolved_at is None) and not sla.resolve_breached:
        found["resolve_by"] = sla.resolve_by
    return found


async def _pays(into: Ticket, duplicate_ids: Sequence[UUID], *, opens: bool) -> dict[str, Any]:
    """What the ticket pays from now on where a promise is broken that it has not broken yet."""
    rows = await fetch_all(
        "SELECT answer_points, resolve_points FROM ticket"
        " WHERE member_id = $1 AND id = ANY($2::uuid[])",
        *(into.member_id, [into.id, *duplicate_ids]),
    )
    return {
        name: max(row[name] for row in rows)
        for name in (f"{by.removesuffix('_by')}_points" for by in _open(into.sla, opens=opens))
    }
