"""Checks of texts as they are kept: queued with their message, claimed, put off, settled.

A text is claimed by writing a lease into its row, in one statement that commits at once: no
transaction is open while WeChat is waited for. What a process that died had claimed is due again
when its lease ends. The verdict is written where the lease still holds, so there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from domain import members
from domain.feedback.rules import TextCheck
from domain.feedback.text_checks.rules import stands_as
from domain.feedback.tickets import CAME_WITH
from domain.outbox import Event, announce
from domain.storage import execute, fetch_all, fetch_one, inside_transaction, transaction

LEASE: Final = timedelta(seconds=120)
"""Longer than all pieces of a text may take."""

_CLAIM: Final = """
    UPDATE text_check SET lease = $1, next_at = $2
    WHERE message_id IN (
        WITH due AS MATERIALIZED (
            SELECT message_id FROM text_check WHERE next_at <= $3
            ORDER BY next_at, message_id LIMIT $4
            FOR NO KEY UPDATE SKIP LOCKED
        )
        SELECT message_id FROM due
    )
    RETURNING member_id, message_id, attempts, pieces_done, found, label, trace_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What WeChat says of a text, or of its pieces so far: the worst counts.

    `label` and `trace_id` are those of the first piece that is as bad as that.
    """

    check: TextCheck
    label: int | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A text that is asked about now; `pieces_done` were before, and `found` of them."""

    member_id: UUID
    message_id: UUID
    lease: UUID
    text: str = field(repr=False)
    attempts: int
    pieces_done: int
    found: Opinion


async def queue_text_check(
    *, member_id: UUID, ticket_id: UUID, message_id: UUID, now: datetime
) -> TextCheck:
    """Have the text of this message checked, which the member writes now: how it stands until then.

    WAITING; NOT_CHECKED for somebody whom WeChat does not know. Inside the message's transaction,
    the member locked; the message may be written before or after.
    """
    assert inside_transaction(), "a text that waits is there with what it waits for"
    if not await members.wechat_users(member_id):
        return TextCheck.NOT_CHECKED
    await execute(
        "INSERT INTO text_check (member_id, message_id, queued_at, next_at, found, came_with)"
        f" VALUES ($1, $3, $4, $4, $5, {CAME_WITH})",
        *(member_id, ticket_id, message_id, now, TextCheck.CLEAR.value),
    )
    return TextCheck.WAITING


async def claim(*, now: datetime, count: int) -> Sequence[Claimed]:
    """What is due, at most `count`, for whoever asks alone."""
    lease = uuid4()
    rows = await fetch_all(_CLAIM, lease, now + LEASE, now, count)
    texts = await fetch_all(
        "SELECT id, text FROM ticket_message WHERE id = ANY($1::uuid[])",
        [row["message_id"] for row in rows],
    )
    written = {row["id"]: row["text"] for row in texts}
    return [
        Claimed(
            member_id=row["member_id"],
            message_id=row["message_id"],
            lease=lease,
            text=written[row["message_id"]],
            attempts=row["attempts"],
            pieces_done=row["pieces_done"],
            found=Opinion(
                check=TextCheck(row["found"]), label=row["label"], trace_id=row["trace_id"]
            ),
        )
        for row in rows
        # Whose member was erased in between is asked about no more.
        if row["message_id"] in written
    ]


async def put_off(claimed: Claimed, *, until: datetime, pieces_done: int, found: Opinion) -> None:
    """Ask again later, and only about the pieces that are left."""
    await execute(
        "UPDATE text_check SET attempts = attempts + 1, next_at = $3, lease = NULL,"
        " pieces_done = $4, found = $5, label = $6, trace_id = $7"
        " WHERE message_id = $1 AND lease = $2",
        *(claimed.message_id, claimed.lease, until, pieces_done, found.check.value),
        *(found.label, found.trace_id),
    )


async def settle(claimed: Claimed, opinion: Opinion, *, now: datetime) -> bool:
    """Write the verdict, with the message and the event; False where another one stands already."""

    async def work() -> bool:
        member_id = await lock_writer(claimed.message_id)
        if member_id is None:
            return False
        written = await execute(
            "UPDATE text_check SET attempts = attempts + 1, next_at = NULL, lease = NULL,"
            " verdict = $3, label = $4, trace_id = $5, checked_at = $6"
            " WHERE message_id = $1 AND lease = $2",
            *(claimed.message_id, claimed.lease, opinion.check.value, opinion.label),
            *(opinion.trace_id, now),
        )
        if not written:
            return False
        await mark(member_id, claimed.message_id, stands_as(opinion.check), now=now)
        return True

    return await transaction(work)


async def lock_writer(message_id: UUID) -> UUID | None:
    """The member whose ticket the message is in, locked; None where there is no such message."""

    async def look() -> UUID | None:
        row = await fetch_one("SELECT member_id FROM ticket_message WHERE id = $1", message_id)
        return None if row is None else row["member_id"]

    return await members.lock_found(look, lambda one: [] if one is None else [one])


async def mark(member_id: UUID, message_id: UUID, check: TextCheck, *, now: datetime) -> None:
    """Write what became of the text into the message, and tell it; the member is locked."""
    rows = await fetch_all(
        "UPDATE ticket_message SET text_check = $3 WHERE member_id = $1 AND id = $2"
        " RETURNING ticket_id",
        *(member_id, message_id, check.value),
    )
    facts = {"message": str(message_id), "check": check.value}
    await announce(
        [
            Event(
                kind="TicketTextChecked",
                member_id=member_id,
                facts={"ticket": str(row["ticket_id"]), **facts},
            )
            for row in rows
        ],
        now=now,
    )
