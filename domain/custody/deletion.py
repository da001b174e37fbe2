"""Deleting an account: asked for, taken back within the cooling period, and done at its end.

Nothing changes for the member before the end: they sign in, earn and spend as ever.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain import members
from domain.custody.requests import Asked, answer_once
from domain.outbox import Event, announce
from domain.storage import TransactionContended, execute, fetch_all, fetch_one, transaction
from domain.texts import clean_text

REASON_CHARACTERS_MAX: Final = 500
COOLING: Final = timedelta(days=7)
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AskedBy(StrEnum):
    """Who asked for the deletion."""

    MEMBER = "member"
    WECHAT = "wechat"
    """The member cancelled their authorization in WeChat, which asks us to delete what we hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDeletion:
    """Delete the member's account at the end of the cooling period. `reason` is their own words."""

    member_id: UUID
    idempotency_key: str
    reason: str | None = None


async def request_deletion(
    command: RequestDeletion, *, cooling: timedelta = COOLING, now: datetime
) -> datetime:
    """When the account will be deleted. Whoever asks again is told the same moment.

    Refused: InvalidInput, IdempotencyConflict.
    """
    reason = command.reason or None
    if reason is not None:
        clean_text(reason, field=("reason",), characters_max=REASON_CHARACTERS_MAX, lines=True)

    async def work() -> str:
        records = await members.records_of([command.member_id])
        await members.lock_members([command.member_id])
        if not set(records) <= set(await members.records_of([command.member_id])):
            # Who asks may be the other one: both have to sign in again.
            raise TransactionContended("staff parted the record meanwhile")
        deletes_at = await begin_deletion(
            command.member_id, asked_by=AskedBy.MEMBER, reason=reason, cooling=cooling, now=now
        )
        return deletes_at.isoformat()

    asked = Asked(
        what="delete",
        member_id=command.member_id,
        key=command.idempotency_key,
        fields={"reason": reason},
    )
    answer, _ = await answer_once(asked, work, now=now)
    return datetime.fromisoformat(answer)


async def begin_deletion(
    member_id: UUID,
    *,
    asked_by: AskedBy,
    reason: str | None = None,
    cooling: timedelta = COOLING,
    now: datetime,
) -> datetime:
    """Begin the cooling period where none runs; when it ends."""

    async def work() -> datetime:
        row = await fetch_one(
            "SELECT deletes_at FROM account_deletion WHERE member_id = $1", member_id
        )
        if row is not None:
            running: datetime = row["deletes_at"]
            return running
        deletes_at = now + cooling
        # Of two who ask at once the second meets the key, runs again and finds the first's row.
        await execute(
            "INSERT INTO account_deletion (member_id, asked_by, reason, requested_at, deletes_at)"
            " VALUES ($1, $2, $3, $4, $5)",
            *(member_id, asked_by.value, reason, now, deletes_at),
        )
        facts = {"asked_by": asked_by.value, "deletes_at": deletes_at.isoformat()}
        event = Event(kind="AccountDeletionRequested", member_id=member_id, facts=facts)
        await announce([event], now=now)
        return deletes_at

    return await transaction(work)


async def deletion_under_way(member_id: UUID) -> datetime | None:
    """When the member's account will be deleted; None while nobody asked for it."""
    row = await fetch_one("SELECT deletes_at FROM account_deletion WHERE member_id = $1", member_id)
    return None if row is None else row["deletes_at"]


async def cancel_deletion(member_id: UUID, *, idempotency_key: str, now: datetime) -> bool:
    """Take the request back; whether there was one whose period still ran.

    So too what was asked for by a record that was joined to the member's. At its end it is too
    late: the erasure may be written down already. Refused: InvalidInput, IdempotencyConflict.
    """

    async def work() -> bool:
        records = await members.records_of([member_id])
        # What a record asked for that was joined to this one waits for longer, see `erasing`.
        cancelled = await execute(
            "DELETE FROM account_deletion WHERE member_id = ANY($1::uuid[])"
            " AND (deletes_at > $2 OR member_id <> $3)",
            *(list(records), now, member_id),
        )
        if cancelled:
            event = Event(kind="AccountDeletionCancelled", member_id=member_id, facts={})
            await announce([event], now=now)
        return bool(cancelled)

    asked = Asked(what="keep", member_id=member_id, key=idempotency_key, fields={})
    answer, _ = await answer_once(asked, work, now=now)
    return bool(answer)


async def deletions_due(*, now: datetime, members_at_once: int) -> AsyncIterator[UUID]:
    """Members whose cooling period is over, the longest ago first: each once, also one who stays.

    Who can never be erased would hold up those after them if it were always the first that are
    looked at.
    """
    after_at, after_id = LONG_AGO, UUID(int=0)
    while True:
        rows = await fetch_all(
            "SELECT member_id, deletes_at FROM account_deletion"
            " WHERE deletes_at <= $1 AND (deletes_at, member_id) > ($2, $3)"
            " ORDER BY deletes_at, member_id LIMIT $4",
            *(now, after_at, after_id, members_at_once),
        )
        for row in rows:
            yield row["member_id"]
        if len(rows) < members_at_once:
            return
        after_at, after_id = rows[-1]["deletes_at"], rows[-1]["member_id"]


async def is_due(member_id: UUID, *, now: datetime) -> bool:
    """Whether the cooling period is over; whoever takes the request back waits for the commit.

    Inside the caller's transaction.
    """
    row = await fetch_one(
        "SELECT deletes_at FROM account_deletion WHERE member_id = $1 FOR UPDATE", member_id
    )
    return row is not None and bool(row["deletes_at"] <= now)


async def begin_deletion_anew(member_id: UUID, *, cooling_min: timedelta, now: datetime) -> None:
    """Another record was joined to one that is to be deleted: let its cooling period begin anew.

    Whoever asked did not ask for what came with the other one. Inside the caller's transaction.
    """
    row = await fetch_one(
        "SELECT asked_by, requested_at, deletes_at FROM account_deletion WHERE member_id = $1",
        member_id,
    )
    if row is None:
        return
    deletes_at = now + max(row["deletes_at"] - row["requested_at"], cooling_min)
    await execute(
        "UPDATE account_deletion SET requested_at = $2, deletes_at = $3 WHERE member_id = $1",
        *(member_id, now, deletes_at),
    )
    facts = {"asked_by": row["asked_by"], "deletes_at": deletes_at.isoformat()}
    event = Event(kind="AccountDeletionRequested", member_id=member_id, facts=facts)
    await announce([event], now=now)


async def drop_deletion(member_id: UUID, *, since: datetime, now: datetime) -> None:
    """Let go of what was asked since: the record was two people's, and nobody knows which asked.

    Whoever it was asks again; nobody is deleted because of somebody else. What was asked by then,
    or began anew by `begin_deletion_anew`, stays. Inside the caller's transaction.
    """
    dropped = await execute(
        "DELETE FROM account_deletion WHERE member_id = $1 AND requested_at > $2",
        *(member_id, since),
    )
    if dropped:
        event = Event(kind="AccountDeletionCancelled", member_id=member_id, facts={})
        await announce([event], now=now)


async def pass_on_deletion(member_id: UUID, *, to: UUID, now: datetime) -> None:
    """The record that was to be deleted was joined to another one of the person: ask them anew.

    They asked for less than what is now one record, so that one has a cooling period of its own.
    """

    async def work() -> None:
        row = await fetch_one(
            "DELETE FROM account_deletion WHERE member_id = $1 RETURNING reason, asked_by,"
            " requested_at, deletes_at",
            member_id,
        )
        if row is not None:
            await begin_deletion(
                to,
                asked_by=AskedBy(row["asked_by"]),
                reason=row["reason"],
                cooling=row["deletes_at"] - row["requested_at"],
                now=now,
            )

    await transaction(work)
