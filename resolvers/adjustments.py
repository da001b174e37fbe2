"""Adjustments of points by staff."""

from __future__ import annotations

from uuid import UUID

from domain import ledger
from domain.ledger import Adjustment
from domain.members import MemberRef
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.ledger import EntryRecord, record_of


async def adjust_points(
    context: RequestContext,
    member: MemberRef,
    *,
    points: int,
    reason: str,
    idempotency_key: str,
) -> Adjustment:
    """Adjust a member's points, or ask somebody else to approve it."""
    command = ledger.AdjustPoints(
        member=member, points=points, reason=reason, idempotency_key=idempotency_key
    )
    rules = context.services.adjustment_rules
    return await ledger.adjust_points(command, by=context.actor(), rules=rules, now=context.now)


async def approve_adjustment(
    context: RequestContext, adjustment_id: UUID, *, idempotency_key: str
) -> Adjustment:
    """Let an adjustment take effect that somebody else asked for."""
    command = ledger.ApproveAdjustment(adjustment_id=adjustment_id, idempotency_key=idempotency_key)
    rules = context.services.adjustment_rules
    return await ledger.approve_adjustment(
        command, by=context.actor(), rules=rules, now=context.now
    )


async def pending_adjustments(context: RequestContext, page: PageRequest) -> Page[Adjustment]:
    """A page of the adjustments that wait for approval, oldest first; the look is recorded."""
    return await ledger.pending_adjustments(page, by=context.actor(), now=context.now)


async def entry_of(adjustment: Adjustment) -> EntryRecord | None:
    """The entry that the adjustment made."""
    if adjustment.entry_seq is None:
        return None
    entry = await ledger.entry(adjustment.member_id, seq=adjustment.entry_seq)
    return None if entry is None else record_of(entry)
