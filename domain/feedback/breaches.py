"""Broken promises: deadlines that passed are noted, paid for and told, each once.

A deadline is missed when it has passed and nothing was done; what was done after it is late, too,
however soon after. The answer and the end are promised apart, and may both be missed.

Each ticket is a short transaction of its own. The sweeper may be stopped or killed anywhere, and
run by any number of workers: what is noted on the ticket, under its lock, is not looked at again,
and the points are posted in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Final
from uuid import UUID

import structlog

from domain import members, purchases
from domain.errors import Refusal
from domain.feedback.acting import SYSTEM, Step, tell, write_event
from domain.feedback.rules import Act
from domain.feedback.tickets import Ticket, find_ticket
from domain.ledger import Earn, Key, Source, post_one
from domain.notifications import Notification, notify
from domain.program import program
from domain.storage import (
    Row,
    execute,
    fetch_all,
    fetch_one,
    inside_transaction,
    transaction,
)

log = structlog.get_logger("jifen.feedback")

SOURCE_KIND: Final = "service"
PAGE: Final = 100

_BEGINNING: Final = (datetime(1, 1, 2, tzinfo=UTC), UUID(int=0))
_OPEN: Final = "paused_at IS NULL AND closed_at IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Promised:
    """What is promised by one deadline: the columns that tell of it, and what is told of it.

    `late` are the conditions under which it is missed, each with the moment that its index is
    ordered by. `reason` says in the journal of points why there are some.
    """

    name: str
    act: Act
    told: str
    reason: str
    late: tuple[tuple[str, str], ...]

    @property
    def breached(self) -> str:
        return f"{self.name}_breached_at"


_ANSWER: Final = _Promised(
    name="answer",
    act=Act.ANSWER_MISSED,
    told="TICKET_ANSWER_LATE",
    reason="反馈 {number} 未按时回复 · {number} was not answered in time",
    late=(
        (
            "answer_by",
            f"answered_at IS NULL AND answer_breached_at IS NULL AND {_OPEN}"
            " AND answer_by IS NOT NULL AND answer_by <= $1",
        ),
        ("answered_at", "answer_breached_at IS NULL AND answered_at > answer_by"),
    ),
)
_RESOLVE: Final = _Promised(
    name="resolve",
    act=Act.RESOLVE_MISSED,
    told="TICKET_RESOLVE_LATE",
    reason="反馈 {number} 未按时解决 · {number} was not resolved in time",
    late=(
        (
            "resolve_by",
            f"resolved_at IS NULL AND resolve_breached_at IS NULL AND {_OPEN}"
            " AND resolve_by IS NOT NULL AND resolve_by <= $1",
        ),
        ("resolved_at", "resolve_breached_at IS NULL AND resolved_at > resolve_by"),
        ("paused_at", "resolve_breached_at IS NULL AND paused_at > resolve_by"),
    ),
)
PROMISED: Final = (_ANSWER, _RESOLVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a run did: deadlines noted as missed, points paid; `unpaid` tickets were left alone.

    Those have an account that cannot take the points: they are tried again by the next run.
    """

    breaches: int = 0
    points: int = 0
    unpaid: int = 0


async def watch_deadlines(
    *, now: datetime, within_s: float, progress: Callable[[Watched], None] | None = None
) -> Watched:
    """Note what was missed as of `now`, pay for it and tell its members; for about `within_s`.

    `progress` is told after each page how far it came. Must not be called inside a transaction.
    """
    began = perf_counter()
    watched = Watched()
    for promised, moment, late in _conditions():
        since = _BEGINNING
        while perf_counter() - began < within_s:
            rows = await fetch_all(
                f"SELECT member_id, id, {moment} AS moment FROM ticket WHERE {late}"
                f" AND $1::timestamptz IS NOT NULL AND ({moment}, id) > ($2, $3)"
                f" ORDER BY {moment}, id LIMIT {PAGE}",
                *(now, *since),
            )
            for row in rows:
                watched = await _noted(watched, promised, row, now=now)
            if progress is not None:
                progress(watched)
            if len(rows) < PAGE:
                break
            since = (rows[-1]["moment"], rows[-1]["id"])
    return watched


async def deadlines_missed(*, now: datetime) -> int:
    """How many deadlines are missed and not noted yet."""
    counts = " + ".join(
        f"(SELECT COUNT(*) FROM ticket WHERE {late})" for _, _, late in _conditions()
    )
    row = await fetch_one(f"SELECT {counts} AS missed", now)
    assert row is not None, "a row of counts"
    return int(row["missed"])


async def note_missed(ticket: Ticket, *, now: datetime) -> Ticket:
    """Note what is missed of this ticket, pay for it and tell it; the ticket as it is then.

    Inside the caller's transaction, the ticket locked. Refused: whatever its member's account
    refuses.
    """
    assert inside_transaction(), "what is noted is paid"
    for promised in PROMISED:
        await _settle(promised, ticket, now=now)
    made = await find_ticket(ticket.id)
    assert made is not None, "its row is locked"
    return made


async def note_unpaid(member_ids: Collection[UUID], *, now: datetime) -> None:
    """Note what is missed of these members' tickets, whom nobody can pay or tell any more."""
    for promised in PROMISED:
        conditions = " OR ".join(f"({late})" for _, late in promised.late)
        await execute(
            f"UPDATE ticket SET {promised.breached} = $1, version = version + 1"
            f" WHERE ({conditions}) AND member_id = ANY($2::uuid[])",
            *(now, list(member_ids)),
        )


def _conditions() -> Iterator[tuple[_Promised, str, str]]:
    for promised in PROMISED:
        for moment, late in promised.late:
            yield promised, moment, late


async def _noted(watched: Watched, promised: _Promised, row: Row, *, now: datetime) -> Watched:
    """What the run did with this ticket besides; one that cannot be paid does not stop the rest."""

    async def work() -> int | None:
        return await _note(promised, row["member_id"], row["id"], now=now)

    try:
        points = await transaction(work)
    except Refusal as refused:
        log.warning("breach_unpaid", ticket=str(row["id"]), code=refused.code.value)
        return replace(watched, unpaid=watched.unpaid + 1)
    if points is None:
        return watched
    return replace(watched, breaches=watched.breaches + 1, points=watched.points + points)


async def _note(
    promised: _Promised, member_id: UUID, ticket_id: UUID, *, now: datetime
) -> int | None:
    """Note that the deadline was missed; the points that were paid. None where it is noted.

    Also where the ticket went to another record meanwhile: the next run finds it there. Those of
    somebody who was erased are noted with the erasure. The member is locked, then the ticket, then
    the account.
    """
    owners = await members.lock_members([member_id])
    ticket = await find_ticket(ticket_id, lock=True)
    if ticket is None or ticket.member_id != member_id or owners.get(member_id) != member_id:
        return None
    return await _settle(promised, ticket, now=now)


async def _settle(promised: _Promised, ticket: Ticket, *, now: datetime) -> int | None:
    """The same of a ticket that is locked, as its member is."""
    member_id, ticket_id = ticket.member_id, ticket.id
    points = await _still_missed(promised, member_id, ticket_id, now=now)
    if points is None:
        return None
    await execute(
        f"UPDATE ticket SET {promised.breached} = $3, version = version + 1"
        " WHERE member_id = $1 AND id = $2",
        *(member_id, ticket_id, now),
    )
    if points:
        await _pay(promised, ticket, points=points, now=now)
    made = await find_ticket(ticket_id)
    assert made is not None, "its row is locked"
    step = Step(act=promised.act, by=SYSTEM, facts={"points": points})
    await write_event(made, step, made.status, now=now)
    await tell(made, promised.act, now=now)
    facts = {"ticket": str(ticket_id), "number": made.number, "points": points}
    await notify([Notification(member_id=member_id, kind=promised.told, facts=facts)], now=now)
    return points


async def _still_missed(
    promised: _Promised, member_id: UUID, ticket_id: UUID, *, now: datetime
) -> int | None:
    """What the ticket, which is locked, pays for it; None where it is noted or not so any more."""
    conditions = " OR ".join(f"({late})" for _, late in promised.late)
    row = await fetch_one(
        f"SELECT {promised.name}_points AS points FROM ticket"
        f" WHERE ({conditions}) AND member_id = $2 AND id = $3",
        *(now, member_id, ticket_id),
    )
    return None if row is None else int(row["points"])


async def _pay(promised: _Promised, ticket: Ticket, *, points: int, now: datetime) -> None:
    """Post the points, which are good as long as those of an order of today."""
    rule = await purchases.current_rule(purchases.DEFAULT_RULE.code)
    _, expires_at = rule.lifetime(now, (await program()).zone)
    reference = f"{ticket.id}/{promised.name}"
    await post_one(
        Earn(
            member_id=ticket.member_id,
            points=points,
            source=Source(kind=SOURCE_KIND, reference=reference),
            effective_at=now,
            expires_at=expires_at,
            key=Key(scope="ticket.breach", key=reference),
            reason=promised.reason.format(number=ticket.number),
        ),
        now=now,
    )
