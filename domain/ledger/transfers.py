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
from domain.ledger.book import Books
from domain.ledger.client_keys import child_id
from domain.ledger.commands import Place, Transfer
from domain.ledger.decisions import checked_points
from domain.ledger.entries import Source
from domain.ledger.naming import lock_named
from domain.ledger.posting import post_one
from domain.members import ById, MemberRef, as_named, heirs, recall_own, remembering_own
from domain.program import program
from domain.storage import Table, fetch_one, transaction
from domain.texts import clean_text

NOTE_CHARACTERS_MAX: Final = 200
SOURCE_KIND: Final = "transfer"

_WHAT: Final = "points.transfer"


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


async def transfer_points(
    command: TransferPoints, *, limits: TransferLimits, now: datetime
) -> Place:
    """Move the points; returns whose entry the giver's is, and its number. One posting.

    Refused: InvalidInput, PointsOutOfRange, MemberNotFound, TransferLimitExceeded,
    InsufficientPoints, AccountFrozen, IdempotencyConflict.
    """
    _check(command)
    note = command.note or None
    key = command.idempotency_key
    digests = idempotency.digests(
        {"to_member": as_named(command.to_member), "points": command.points, "note": note}
    )

    async def work() -> Place:
        [to_member_id], books = await lock_named([command.to_member], others=[command.member_id])
        known = await recall_own(_WHAT, command.member_id, key=key, digests=digests)
        if known is not None:
            return known.record_id, known.answer["seq"]
        if to_member_id is None:
            raise MemberNotFound(field=("to_member",))
        giver = await _giver(command.member_id, books)
        zone = (await program()).zone
        await _count(giver, command.points, day=now.astimezone(zone).date(), limits=limits)
        posted = await post_one(
            Transfer(
                member_id=giver,
                to_member_id=to_member_id,
                points=command.points,
                note=note,
                source=Source(
                    kind=SOURCE_KIND, reference=str(child_id("transfer", str(giver), key))
                ),
            ),
            now=now,
            books=books,
            beside=lambda posted: [
                remembering_own(
                    *(_WHAT, posted.member_id),
                    key=key,
                    digests=digests,
                    answer={"seq": posted.seq},
                    now=now,
                )
            ],
        )
        return posted.member_id, posted.seq

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
    idempotency.checked_key(command.idempotency_key)
    checked_points(command.points)


async def _giver(member_id: UUID, books: Books) -> UUID:
    """Who has the points of the account, which is locked; whoever waited for a merge learns it."""
    book = books.get(member_id)
    if book is None or book.merged_into is None:
        return member_id
    return (await heirs([member_id])).get(member_id, member_id)


async def _count(giver: UUID, requested_points: int, *, day: date, limits: TransferLimits) -> None:
    """Add the transfer to those of the day, or refuse it. The giver's account is locked."""
    row = await fetch_one(
        "SELECT points, times FROM points_transferred WHERE member_id = $1 AND day = $2",
        *(giver, day),
    )
    points, times = (row["points"], row["times"]) if row else (0, 0)
    for unit, used, requested, limit in (
        ("TIMES", times, 1, limits.times_per_day),
        ("POINTS", points, requested_points, limits.points_per_day),
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
        [{"member_id": giver, "day": day, "points": requested_points, "times": 1}],
        or_update="(member_id, day) DO UPDATE SET "
        "points = points_transferred.points + excluded.points, "
        "times = points_transferred.times + excluded.times",
    )
