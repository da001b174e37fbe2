"""Points at a checkout: a shop sets them aside, then captures or releases them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from domain import ledger
from domain.ledger import HOLD_MINUTES, HoldState
from resolvers import holds as resolvers
from schema.fields import Info, computed, enum_type, input_type, object_type, view
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.node import decode_own_uuid, encode_global_id
from schema.policies import scope
from schema.scalars import Points

HOLDS_POINTS = scope("points:hold")

enum_type(
    HoldState,
    descriptions={
        "OPEN": "The points are set aside.",
        "CAPTURED": "They were spent, all or a part of them.",
        "RELEASED": "They were given back.",
        "EXPIRED": "The time was over, so they were given back.",
    },
)


@input_type()
class HoldPointsInput:
    """Which points to set aside."""

    member: MemberReference
    """Whose."""

    points: Points
    """How many, at least 1."""

    reference: str
    """The shop's own number of the order, 1 to 128 characters. One has at most one hold that is
    open or captured."""

    expires_in_minutes: int | None = HOLD_MINUTES
    """After how many minutes they are given back, 1 to 10,080 (a week)."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the shop's choice: sent again, it gives the same answer."""


@input_type()
class CapturePointsInput:
    """What to spend of a hold."""

    hold_id: strawberry.ID
    """The hold."""

    points: Points | None = None
    """How many of its points; all where it is left out. The rest is given back."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the shop's choice: sent again, it gives the same answer."""


@input_type()
class ReleasePointsInput:
    """Which hold to give back."""

    hold_id: strawberry.ID
    """The hold."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the shop's choice: sent again, it gives the same answer."""


@object_type(policy=HOLDS_POINTS)
class PointsHold:
    """Points that a shop set aside, as they were when it was answered."""

    points: Points
    """How many were set aside."""

    state: HoldState
    """What became of them."""

    captured: Points
    """How many of them were spent; 0 while the hold was not captured."""

    expires_at: datetime
    """The first moment at which they can no longer be captured."""

    reference: str
    """The shop's own number of the order."""

    @computed(HOLDS_POINTS)
    def id(self) -> strawberry.ID:
        """The id of the hold, for `capturePoints` and `releasePoints` of the same shop."""
        hold: ledger.PointsHold = view(self)
        return encode_global_id("PointsHold", hold.key)


@object_type(policy=HOLDS_POINTS)
class CaptureEntry:
    """The entry in the member's journal that spent the points, as far as it concerns the shop."""

    amount: Points
    """How many points, negative since they went away."""

    id: strawberry.ID
    """The id of the entry, which the member can look up."""


@object_type(policy=HOLDS_POINTS)
class HoldPointsPayload(Payload):
    """What setting points aside led to."""

    hold: PointsHold | None = None
    """The hold; null when it was refused."""


@object_type(policy=HOLDS_POINTS)
class CapturePointsPayload(Payload):
    """What capturing a hold led to."""

    hold: PointsHold | None = None
    """The hold; null when it was refused."""

    entry: CaptureEntry | None = None
    """What the member's journal says of it; null when it was refused."""


@object_type(policy=HOLDS_POINTS)
class ReleasePointsPayload(Payload):
    """What releasing a hold led to."""

    hold: PointsHold | None = None
    """The hold; null when it was refused."""


@mutation(HOLDS_POINTS)
async def hold_points(info: Info, input: HoldPointsInput) -> HoldPointsPayload:
    """Set points of a member aside while an order is paid for."""
    minutes = input.expires_in_minutes
    command = ledger.HoldPoints(
        owner=resolvers.owner(info.context),
        member=input.member.value(field=["member"]),
        points=input.points,
        reference=input.reference,
        idempotency_key=input.idempotency_key,
        expires_in_minutes=HOLD_MINUTES if minutes is None else minutes,
    )
    return HoldPointsPayload(hold=view(await resolvers.hold_points(info.context, command)))


@mutation(HOLDS_POINTS)
async def capture_points(info: Info, input: CapturePointsInput) -> CapturePointsPayload:
    """Spend the points of a hold, or a part of them; the rest is given back."""
    member_id, hold_id = decode_own_uuid(input.hold_id, "PointsHold")
    command = ledger.CapturePoints(
        owner=resolvers.owner(info.context),
        member_id=member_id,
        hold_id=hold_id,
        idempotency_key=input.idempotency_key,
        points=input.points,
    )
    captured = await resolvers.capture_points(info.context, command)
    entry_id = encode_global_id("LedgerEntry", f"{member_id}:{captured.seq}")
    entry = CaptureEntry(id=entry_id, amount=Points(captured.amount))
    return CapturePointsPayload(hold=view(captured.hold), entry=entry)


@mutation(HOLDS_POINTS)
async def release_points(info: Info, input: ReleasePointsInput) -> ReleasePointsPayload:
    """Give the points of a hold back."""
    member_id, hold_id = decode_own_uuid(input.hold_id, "PointsHold")
    command = ledger.ReleasePoints(
        owner=resolvers.owner(info.context),
        member_id=member_id,
        hold_id=hold_id,
        idempotency_key=input.idempotency_key,
    )
    return ReleasePointsPayload(hold=view(await resolvers.release_points(info.context, command)))
