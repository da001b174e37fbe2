"""Perks: used by members, given back by staff."""

from __future__ import annotations

from uuid import UUID

from domain import tiers
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext


async def use_perk(context: RequestContext, command: tiers.UsePerk) -> tiers.PerkUsed:
    """Use a perk of the member who asks."""
    return await tiers.use_perk(command, now=context.now)


async def perk_uses(member_id: UUID, page: PageRequest) -> Page[tiers.PerkUse]:
    """A page of the member's uses of perks, newest first."""
    return await tiers.perk_uses(member_id, page)


async def cancel_perk_use(context: RequestContext, command: tiers.CancelPerkUse) -> tiers.PerkUse:
    """Give a use of a perk back, by the member of staff who asks."""
    return await tiers.cancel_perk_use(command, by=context.actor(), now=context.now)
