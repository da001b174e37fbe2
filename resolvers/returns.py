"""Returns: what shops give back, and what a member is told of it beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain import returns, rewards, tiers
from domain.access import CallerKind
from domain.rewards import Coupon
from resolvers.context import RequestContext
from resolvers.owning import own_id


async def record_refunds(
    context: RequestContext, *, batch_id: str, refunds: Sequence[returns.Refund]
) -> returns.RefundBatch:
    """Record a batch of refunds of the shop that asks."""
    source = context.require_account(CallerKind.SHOP, CallerKind.PARTNER).code
    command = returns.RecordRefunds(source=source, batch_id=batch_id, refunds=refunds)
    in_force = context.services.reward_rules
    return await returns.record_refunds(command, rules_in_force=in_force, now=context.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPreviewRecord:
    """What a refund would do, with the level and the coupons that it names."""

    points_taken: int
    debt_after: int
    level_after: tiers.LevelDefinition | None
    coupons_revoked: Sequence[Coupon]
    perks: tiers.LessPerks


async def refund_preview(
    context: RequestContext, key: tuple[UUID, UUID], *, amount_fen: int
) -> RefundPreviewRecord | None:
    """What giving back so much of the order would do, when it is the caller's own."""
    member_id, order_id = key
    mine = await own_id(context, member_id)
    if mine is None:
        return None
    in_force, now = context.services.reward_rules, context.now
    found = await returns.preview_refund(
        mine, order_id=order_id, amount_fen=amount_fen, rules_in_force=in_force, now=now
    )
    return None if found is None else await _record(mine, found, context)


async def _record(
    member_id: UUID, found: returns.RefundPreview, context: RequestContext
) -> RefundPreviewRecord:
    ended = [one.id for one in found.ended]
    coupons = await rewards.coupons_of(member_id, ended, now=context.now)
    levels = {level.code: level for level in await tiers.read_levels()}
    return RefundPreviewRecord(
        points_taken=found.points_taken,
        debt_after=found.debt_after,
        level_after=levels.get(found.level_after),
        coupons_revoked=[coupon for one in ended for coupon in coupons[one]],
        perks=found.perks,
    )
