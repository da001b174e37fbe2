"""Corrections of points by staff: asked for, approved, and those that wait."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import ledger
from domain.access import StaffRole
from domain.ledger import AdjustmentStatus
from resolvers import adjustments as resolvers
from schema.connections import KeysetList
from schema.cost import READS
from schema.fields import Info, computed, enum_type, input_type, object_type, view
from schema.ledger import LedgerEntry
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.node import decode_uuid, encode_global_id
from schema.policies import SEES_POINTS, staff
from schema.scalars import Points

ASKS = staff(StaffRole.SUPPORT, StaffRole.FINANCE)
APPROVES = staff(StaffRole.FINANCE)

PENDING = KeysetList("adjustments", (datetime, UUID))

enum_type(AdjustmentStatus)


@object_type(policy=SEES_POINTS)
class Adjustment:
    """A correction of a member's points by staff."""

    points: Points
    """How many points are added, or taken away where it is negative."""

    reason: str
    """Why, in the words of whoever asked for it."""

    status: AdjustmentStatus
    """What became of it."""

    approvals_needed: int
    """How many approvals it waits for."""

    requester: str
    """Who asked for it: `staff:` and the login."""

    requested_at: datetime
    """When it was asked for."""

    approver: str | None
    """Who approved it; null where nobody had to, or nobody has yet."""

    applied_at: datetime | None
    """When it took effect; null while it waits."""

    @computed(SEES_POINTS)
    def id(self) -> strawberry.ID:
        """The id by which it is approved."""
        adjustment: ledger.Adjustment = view(self)
        return encode_global_id("Adjustment", adjustment.id)

    @computed(SEES_POINTS)
    def member_id(self) -> strawberry.ID:
        """The global id of the member."""
        adjustment: ledger.Adjustment = view(self)
        return encode_global_id("Member", adjustment.member_id)

    @computed(SEES_POINTS, cost=READS)
    async def entry(self) -> LedgerEntry | None:
        """The entry that it made in the member's journal; null while it waits."""
        entry: LedgerEntry | None = view(await resolvers.entry_of(view(self)))
        return entry


@input_type()
class AdjustPointsInput:
    """A correction."""

    member: MemberReference
    """Whose points."""

    points: Points
    """How many to add, or, negative, to take away; not 0."""

    reason: str
    """Why: 1 to 500 characters. The member reads it in the journal."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class ApproveAdjustmentInput:
    """An approval."""

    adjustment_id: strawberry.ID
    """Which adjustment."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@object_type(policy=ASKS)
class AdjustPointsPayload(Payload):
    """What asking for a correction led to."""

    adjustment: Adjustment | None = None
    """The adjustment, applied or waiting; null when it was refused."""


@object_type(policy=APPROVES)
class ApproveAdjustmentPayload(Payload):
    """What approving led to."""

    adjustment: Adjustment | None = None
    """The adjustment, which took effect; null when it was refused."""


@mutation(ASKS)
async def adjust_points(info: Info, input: AdjustPointsInput) -> AdjustPointsPayload:
    """Correct a member's points. A large correction waits until somebody else approves it."""
    adjustment: Adjustment = view(
        await resolvers.adjust_points(
            info.context,
            input.member.value(field=["member"]),
            points=input.points,
            reason=input.reason,
            idempotency_key=input.idempotency_key,
        )
    )
    return AdjustPointsPayload(adjustment=adjustment)


@mutation(APPROVES)
async def approve_adjustment(info: Info, input: ApproveAdjustmentInput) -> ApproveAdjustmentPayload:
    """Let a correction take effect that somebody else asked for."""
    adjustment: Adjustment = view(
        await resolvers.approve_adjustment(
            info.context,
            decode_uuid(input.adjustment_id, "Adjustment"),
            idempotency_key=input.idempotency_key,
        )
    )
    return ApproveAdjustmentPayload(adjustment=adjustment)
