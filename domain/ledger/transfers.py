"""Transfers: a member gives points to another, who is named by the id that they hand out.

Each lot keeps its expiry, and nobody rises a level by what they are given. What one member may give
on one day of the programme is limited, in points and in times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from domain import idempotency
from domain.errors import InvalidInput, MemberNotFound, TransferLimitExceeded
from domain.ledger.client_keys import checked_key, child_id, recall, remembering
from domain.ledger.commands import Key, Transfer
from domain.ledger.decisions import checked_points
from domain.ledger.entries import Source
from domain.ledger.naming import lock_named
from domain.ledger.posting import post_one
from domain.members import ById, MemberRef, as_named
from domain.program import program
from domain.storage import Table, fetch_one, transaction
from domain.texts import clean_text

NOTE_CHARACTERS_MAX: Final = 200
SOURCE_KIND: Final = "transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLimits:
    """What one member may give on one day of the programme's time zone; 0 forbids transfers."""

    points_per_day: int = 10_000
    times_per_day: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPoints:
    """Give `points` of `member_id` to another member. `note` is for both of them to read."""

    member_id: UUID
    to_member: MemberRef
    points: int
    idempotency_key: str
    note: str | None = None


async def transfer_points(command: TransferPoints, *, limits: TransferLimits, now: datetime) -> int:
    """Move the points; returns the number of the giver's entry. Both sides in one posting.

    Refused: InvalidInput, PointsOutOfRange, MemberNotFound, TransferLimitExceeded,
    InsufficientPoints, AccountFrozen, IdempotencyConflict.
    """
    _check(command)
    note = command.note or None
    key = Key(scope=f"points.transfer:{command.member_id}", key=command.idempotency_key)
    digests = idempotency.digests(
        {"to_member": as_named(command.to_member), "points": command.points, "note": note}
    )

    async def work() -> int:
        [to_member_id], books = await lock_named([command.to_member], others=[command.member_id])
        answer = await recall(key, digests)
        if answer is not None:
            seq: int = answer["seq"]
            return seq
        if to_member_id is None:
            raise MemberNotFound(field=("to_member",))
        zone = (await program()).zone
        await _count(command, day=now.astimezone(zone).date(), limits=limits)
        transfer_id = child_id("transfer", str(command.member_id), command.idempotency_key)
        posted = await post_one(
            Transfer(
                member_id=command.member_id,
                to_member_id=to_member_id,
                points=command.points,
                note=note,
                source=Source(kind=SOURCE_KIND, reference=str(transfer_id)),
            ),
            now=now,
            books=books,
            beside=lambda posted: [remembering(key, digests, {"seq": posted.seq}, now=now)],
        )
        return posted.seq

    return await transaction(work)


_TRANSFERRED = Table(
    "points_transferred", member_id="uuid", day="date", points="bigint", times="bigint"
)


def _check(command: TransferPoints) -> None:
    if not isinstance(command.to_member, ById):
        # Refused before anything is looked up: an answer would tell who is a customer here.
        raise InvalidInput(field=("to_member",), rule="a member names another by `id` alone")
    if command.to_member.member_id == command.member_id:
        raise InvalidInput(field=("to_member",), rule="another member")
    if command.note is not None:
        clean_text(command.note, field=("note",), characters_max=NOTE_CHARACTERS_MAX, lines=True)
    checked_key(command.idempotency_key)
    checked_points(command.points)


async def _count(command: TransferPoints, *, day: date, limits: TransferLimits) -> None:
    """Add the transfer to those of the day, or refuse it. The giver's account is locked."""
    row = await fetch_one(
        "SELECT points, times FROM points_transferred WHERE member_id = $1 AND day = $2",
        *(command.member_id, day),
    )
    points, times = (row["points"], row["times"]) if row else (0, 0)
    for unit, used, requested, limit in (
        ("TIMES", times, 1, limits.times_per_day),
        ("POINTS", points, command.points, limits.points_per_day),
    ):
        if used + requested > limit:
            raise TransferLimitExceeded(
                field=("points",) if unit == "POINTS" else None,
                unit=unit,
                limit=limit,
                used=used,
                requested=requested,
            )
    await _TRANSFERRED.insert(
        [{"member_id": command.member_id, "day": day, "points": command.points, "times": 1}],
        or_update="(member_id, day) DO UPDATE SET "
        "points = points_transferred.points + excluded.points, "
        "times = points_transferred.times + excluded.times",
    )
