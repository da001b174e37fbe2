"""Holds at a checkout, by the shop that asks."""

from __future__ import annotations

from domain import ledger
from domain.access import CallerKind
from resolvers.context import RequestContext


def owner(context: RequestContext) -> str:
    """The code of the shop that asks, whose the holds are. Raises NotSignedIn or NotAllowed."""
    return context.require_account(CallerKind.SHOP, CallerKind.PARTNER).code


async def hold_points(context: RequestContext, command: ledger.HoldPoints) -> ledger.PointsHold:
    """Set points of a member aside for an order of the shop."""
    return await ledger.hold_points(command, now=context.now)


async def capture_points(context: RequestContext, command: ledger.CapturePoints) -> ledger.Captured:
    """Spend what is set aside, or a part of it."""
    return await ledger.capture_points(command, now=context.now)


async def release_points(
    context: RequestContext, command: ledger.ReleasePoints
) -> ledger.PointsHold:
    """Give a hold back."""
    return await ledger.release_points(command, now=context.now)
