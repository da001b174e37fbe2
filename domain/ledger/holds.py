"""Holds at a checkout: a shop sets a member's points aside, then captures or releases them.

A hold belongs to the shop that made it; to any other it is one that does not exist. A reference of
a shop, its order number, has at most one hold that is open or captured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from domain import idempotency
from domain.errors import HoldExists, HoldNotOpen, InvalidInput, MemberNotFound
from domain.ledger.client_keys import (
    REFERENCE_CHARACTERS_MAX,
    child_id,
    recall,
    remember,
    remembering,
)
from domain.ledger.commands import Capture, Key, Posted, Release, SetAside
from domain.ledger.decisions import checked_points
from domain.ledger.entries import HoldState, Source
from domain.ledger.naming import lock_named
from domain.ledger.posting import post_one
from domain.ledger.store import lock_accounts
from domain.members import MemberRef, as_named
from domain.storage import Row, Table, Write, fetch_all, fetch_one, transaction
from domain.texts import clean_identity

HOLD_MINUTES: Final = 30
"""How long a hold lasts when its shop says nothing."""
HOLD_MINUTES_MAX: Final = 7 * 24 * 60
SOURCE_KIND: Final = "checkout"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPoints:
    """Set `points` of a member aside for the order `reference` of the shop `owner`, a code."""

    owner: str
    member: MemberRef
    points: int
    reference: str
    idempotency_key: str
    expires_in_minutes: int = HOLD_MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturePoints:
    """Spend `points` of the shop's own hold, all of it when None; the rest is released."""

    owner: str
    member_id: UUID
    hold_id: UUID
    idempotency_key: str
    points: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePoints:
    """Give the shop's own hold back."""

    owner: str
    member_id: UUID
    hold_id: UUID
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsHold:
    """A hold as its shop is told of it: `state` and `captured` as of the answer."""

    member_id: UUID
    hold_id: UUID
    points: int
    state: HoldState
    captured: int
    expires_at: datetime
    reference: str

    @property
    def key(self) -> str:
        """What names the hold in the whole programme."""
        return f"{self.member_id}:{self.hold_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A hold that was captured, and the entry (number and amount) that spent its points."""

    hold: PointsHold
    seq: int
    amount: int


async def hold_points(command: HoldPoints, *, now: datetime) -> PointsHold:
    """Set points aside until they are captured or released, or the time is over.

    An order that has a hold in force, of the same member and points, is answered with that hold,
    whatever the key. Refused: InvalidInput, PointsOutOfRange, MemberNotFound, InsufficientPoints,
    AccountFrozen, HoldExists (another hold for this order), IdempotencyConflict.
    """
    _check(command)
    key = Key(scope=f"points.hold:{command.owner}", key=command.idempotency_key)
    digests = idempotency.digests(
        {
            "member": as_named(command.member),
            "points": command.points,
            "reference": command.reference,
            "expires_in_minutes": command.expires_in_minutes,
        }
    )

    async def work() -> PointsHold:
        [member_id], books = await lock_named([command.member])
        answer = await recall(key, digests)
        if answer is not None:
            return await _hold_of_answer(answer)
        if member_id is None:
            raise MemberNotFound(field=("member",))
        newest = await _newest(command, now=now)
        if newest is not None and newest.state in {HoldState.OPEN, HoldState.CAPTURED}:
            _require_same(newest, command, member_id)
            await remember(key, digests, _answer_of(newest), now=now)
            return newest
        made = _made(command, member_id, now=now)
        answered = remembering(key, digests, _answer_of(made), now=now)
        stands = _standing(made, owner=command.owner, instead=newest is not None)
        await post_one(
            _set_aside(made, owner=command.owner),
            now=now,
            books=books,
            beside=lambda _: [stands, answered],
        )
        return made

    return await transaction(work)


async def capture_points(command: CapturePoints, *, now: datetime) -> Captured:
    """Spend what is set aside, or a part of it; the rest is released in the same posting.

    Refused: InvalidInput, PointsOutOfRange, HoldNotOpen (another shop's is none), AccountFrozen,
    InsufficientPoints (more than is held), IdempotencyConflict.
    """
    idempotency.checked_key(command.idempotency_key)
    if command.points is not None:
        checked_points(command.points)
    key = Key(scope=f"points.capture:{command.owner}", key=command.idempotency_key)
    digests = idempotency.digests({"hold_id": str(command.hold_id), "points": command.points})

    async def work() -> Captured:
        books = await lock_accounts([command.member_id])
        answer = await recall(key, digests)
        if answer is not None:
            hold = await _hold_of_answer(answer)
            return Captured(hold=hold, seq=answer["seq"], amount=answer["amount"])
        hold = await _own(command, now=now)
        if await _in_force(command.owner, hold.reference) != hold.hold_id:
            # The shop's order has a newer hold, so this one was given back or ran out.
            closed = HoldState.EXPIRED if hold.state is HoldState.OPEN else hold.state
            raise HoldNotOpen(state=closed.value)
        posted = await post_one(
            Capture(
                member_id=command.member_id,
                hold_id=command.hold_id,
                points=command.points,
                source=Source(kind=SOURCE_KIND, reference=hold.reference),
            ),
            now=now,
            books=books,
            beside=lambda posted: [
                remembering(key, digests, _answer_of_captured(_captured(hold, posted)), now=now)
            ],
        )
        return _captured(hold, posted)

    return await transaction(work)


async def release_points(command: ReleasePoints, *, now: datetime) -> PointsHold:
    """Give a hold back. Refused: InvalidInput, HoldNotOpen, IdempotencyConflict."""
    idempotency.checked_key(command.idempotency_key)
    key = Key(scope=f"points.release:{command.owner}", key=command.idempotency_key)
    digests = idempotency.digests({"hold_id": str(command.hold_id)})

    async def work() -> PointsHold:
        books = await lock_accounts([command.member_id])
        answer = await recall(key, digests)
        if answer is not None:
            return await _hold_of_answer(answer)
        hold = await _own(command, now=now)
        released = replace(hold, state=HoldState.RELEASED)
        await post_one(
            Release(
                member_id=command.member_id,
                hold_id=command.hold_id,
                source=Source(kind=SOURCE_KIND, reference=hold.reference),
            ),
            now=now,
            books=books,
            beside=lambda _: [remembering(key, digests, _answer_of(released), now=now)],
        )
        return released

    return await transaction(work)


_REFERENCES = Table(
    "points_hold_reference", owner="text", reference="text", member_id="uuid", hold_id="uuid"
)

_LOCK_REFERENCE = """
    SELECT member_id, hold_id FROM points_hold_reference
    WHERE owner = $1 AND reference = $2
    FOR NO KEY UPDATE
"""

_HOLD = """
    SELECT member_id, hold_id, amount, state, captured, expires_at, reference FROM points_hold
    WHERE member_id = $1 AND hold_id = $2 AND owner = $3
"""

_REFERENCE_OF = "SELECT reference FROM points_hold WHERE member_id = $1 AND hold_id = $2"


def _check(command: HoldPoints) -> None:
    clean_identity(command.reference, field=("reference",), characters_max=REFERENCE_CHARACTERS_MAX)
    idempotency.checked_key(command.idempotency_key)
    if not 1 <= command.expires_in_minutes <= HOLD_MINUTES_MAX:
        raise InvalidInput(field=("expires_in_minutes",), rule=f"1 to {HOLD_MINUTES_MAX} minutes")
    checked_points(command.points)


async def _newest(command: HoldPoints, *, now: datetime) -> PointsHold | None:
    """The newest hold of the order, whose place no other takes until the commit."""
    newest = await fetch_one(_LOCK_REFERENCE, command.owner, command.reference)
    if newest is None:
        return None
    # Read after the lock: a competitor may just have closed it.
    row = await fetch_one(_HOLD, newest["member_id"], newest["hold_id"], command.owner)
    assert row is not None, "a reference names a hold of its owner"
    return _hold_of(row, now=now)


def _require_same(hold: PointsHold, command: HoldPoints, member_id: UUID) -> None:
    """Refuse another hold than the one in force for the order."""
    if (hold.member_id, hold.points) != (member_id, command.points):
        raise HoldExists(
            field=("reference",),
            hold=hold.key,
            reference=hold.reference,
            points=hold.points,
            state=hold.state.value,
        )


def _made(command: HoldPoints, member_id: UUID, *, now: datetime) -> PointsHold:
    """The hold that the command makes."""
    return PointsHold(
        member_id=member_id,
        hold_id=child_id("hold", command.owner, command.idempotency_key),
        points=command.points,
        state=HoldState.OPEN,
        captured=0,
        expires_at=now + timedelta(minutes=command.expires_in_minutes),
        reference=command.reference,
    )


def _set_aside(hold: PointsHold, *, owner: str) -> SetAside:
    return SetAside(
        member_id=hold.member_id,
        hold_id=hold.hold_id,
        owner=owner,
        points=hold.points,
        expires_at=hold.expires_at,
        source=Source(kind=SOURCE_KIND, reference=hold.reference),
    )


def _standing(hold: PointsHold, *, owner: str, instead: bool) -> Write:
    """Let the hold stand for its order, `instead` of the one that did.

    Of two that race for an order's first hold, the second runs again and finds the row.
    """
    row = {
        "owner": owner,
        "reference": hold.reference,
        "member_id": hold.member_id,
        "hold_id": hold.hold_id,
    }
    if instead:
        return _REFERENCES.updating([row], key=("owner", "reference"))
    return _REFERENCES.inserting([row])


async def _own(command: CapturePoints | ReleasePoints, *, now: datetime) -> PointsHold:
    """The hold of the shop that asks; anybody else's is like one that does not exist."""
    row = await fetch_one(_HOLD, command.member_id, command.hold_id, command.owner)
    if row is None:
        raise HoldNotOpen(state=None)
    return _hold_of(row, now=now)


async def _in_force(owner: str, reference: str) -> UUID:
    """The newest hold of the order, which no other takes the place of until the commit."""
    [row] = await fetch_all(_LOCK_REFERENCE, owner, reference)
    hold_id: UUID = row["hold_id"]
    return hold_id


def _hold_of(row: Row, *, now: datetime) -> PointsHold:
    """A hold as of now: one whose time is over is EXPIRED, though nothing is written yet."""
    state = HoldState(row["state"])
    if state is HoldState.OPEN and row["expires_at"] <= now:
        state = HoldState.EXPIRED
    return PointsHold(
        member_id=row["member_id"],
        hold_id=row["hold_id"],
        points=row["amount"],
        state=state,
        captured=row["captured"],
        expires_at=row["expires_at"],
        reference=row["reference"],
    )


def _captured(hold: PointsHold, posted: Posted) -> Captured:
    """The hold after the entry that spent of it."""
    closed = replace(hold, state=HoldState.CAPTURED, captured=-posted.amount)
    return Captured(hold=closed, seq=posted.seq, amount=posted.amount)


def _answer_of_captured(captured: Captured) -> dict[str, Any]:
    return _answer_of(captured.hold) | {"seq": captured.seq, "amount": captured.amount}


def _answer_of(hold: PointsHold) -> dict[str, Any]:
    return {
        "member_id": str(hold.member_id),
        "hold_id": str(hold.hold_id),
        "points": hold.points,
        "state": hold.state.value,
        "captured": hold.captured,
        "expires_at": hold.expires_at.isoformat(),
    }


async def _hold_of_answer(answer: dict[str, Any]) -> PointsHold:
    """As it was answered. The shop's own word for it stands with the hold, where it is erased."""
    member_id, hold_id = UUID(answer["member_id"]), UUID(answer["hold_id"])
    row = await fetch_one(_REFERENCE_OF, member_id, hold_id)
    assert row is not None, "holds are never deleted"
    return PointsHold(
        member_id=member_id,
        hold_id=hold_id,
        points=answer["points"],
        state=HoldState(answer["state"]),
        captured=answer["captured"],
        expires_at=datetime.fromisoformat(answer["expires_at"]),
        reference=row["reference"],
    )
