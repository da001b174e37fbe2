"""Texts that are held, as staff sees them and decides of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import audit
from domain.audit import Actor
from domain.errors import MessageNotHeld
from domain.feedback.rules import TextCheck
from domain.feedback.text_checks.queue import lock_writer, mark
from domain.feedback.text_checks.rules import HELD, ReviewDecision
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, execute, fetch_all, fetch_one, transaction

_BEGINNING: Final = (UUID(int=0),)
_HELD: Final = "('WAITING', 'REVIEW', 'RISKY')"
_COLUMNS: Final = (
    "m.member_id, m.id, m.ticket_id, m.text, m.at, m.text_check, c.verdict, c.label, c.decision"
)
_READ: Final = (
    f"SELECT {_COLUMNS} FROM ticket_message AS m"
    " JOIN text_check AS c ON c.member_id = m.member_id AND c.message_id = m.id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewMessage:
    """What staff decides of a text that is held."""

    message_id: UUID
    decision: ReviewDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedMessage:
    """A text of a member that was held, or is. `label` is WeChat's category of what it found."""

    member_id: UUID
    id: UUID
    ticket_id: UUID
    text: str = field(repr=False)
    at: datetime
    check: TextCheck
    verdict: TextCheck | None
    label: int | None
    decision: ReviewDecision | None


async def held_messages(page: PageRequest, *, by: Actor, now: datetime) -> Page[CheckedMessage]:
    """A page of the texts that are held, oldest first, by the key (id,).

    Also those that wait for a check that is away: staff need not wait with it. The look is in the
    audit log.
    """

    async def work() -> Page[CheckedMessage]:
        rows = await fetch_all(
            f"{_READ} WHERE m.text_check IN {_HELD} AND m.id > $1 ORDER BY m.id LIMIT $2",
            *(*(page.after or _BEGINNING), page.limit),
        )
        found = [_checked(row) for row in rows]
        shown = [str(one.id) for one in found[: page.first]]
        audit.record(by, "messages.read_held", after={"messages": shown}, now=now)
        return page_of(found, first=page.first, key=lambda one: (one.id,))

    return await transaction(work)


async def review_message(command: ReviewMessage, *, by: Actor, now: datetime) -> CheckedMessage:
    """Release the text or refuse it for good. The same decision again changes nothing.

    Refused: MessageNotHeld, where there is none such, it was found clear, or another decision
    stands. A check that is under way meanwhile changes nothing any more.
    """

    async def work() -> CheckedMessage:
        member_id = await lock_writer(command.message_id)
        found = None if member_id is None else await _find(member_id, command.message_id)
        if found is None:
            raise MessageNotHeld(field=("message_id",))
        if found.decision is not command.decision:
            if found.check not in HELD:
                raise MessageNotHeld(field=("message_id",))
            await _decide(found, command.decision, by=by, now=now)
        audit.record(
            by,
            "message.review",
            target=audit.Target(kind="member", id=str(found.member_id)),
            before={"check": found.check.value},
            after={"message": str(found.id), "decision": command.decision.value},
            now=now,
        )
        made = await _find(found.member_id, found.id)
        assert made is not None, "its member is locked"
        return made

    return await transaction(work)


async def _decide(
    found: CheckedMessage, decision: ReviewDecision, *, by: Actor, now: datetime
) -> None:
    await execute(
        "UPDATE text_check SET next_at = NULL, lease = NULL, decision = $3, decided_by = $4,"
        " decided_at = $5 WHERE member_id = $1 AND message_id = $2",
        *(found.member_id, found.id, decision.value, by.account_id, now),
    )
    await mark(found.member_id, found.id, decision.makes, now=now)


async def _find(member_id: UUID, message_id: UUID) -> CheckedMessage | None:
    row = await fetch_one(f"{_READ} WHERE m.member_id = $1 AND m.id = $2", member_id, message_id)
    return None if row is None else _checked(row)


def _checked(row: Row) -> CheckedMessage:
    verdict, decision = row["verdict"], row["decision"]
    return CheckedMessage(
        member_id=row["member_id"],
        id=row["id"],
        ticket_id=row["ticket_id"],
        text=row["text"],
        at=row["at"],
        check=TextCheck(row["text_check"]),
        verdict=None if verdict is None else TextCheck(verdict),
        label=row["label"],
        decision=None if decision is None else ReviewDecision(decision),
    )
