"""Levels that staff grants."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain import tiers
from resolvers.context import RequestContext


async def level_grants(member_id: UUID) -> Sequence[tiers.LevelGrant]:
    """The grants of a member that have not ended."""
    return await tiers.level_grants(member_id)


async def grant_level(context: RequestContext, command: tiers.GrantLevel) -> tiers.LevelGrant:
    """Grant a level, by the member of staff who asks."""
    return await tiers.grant_level(command, by=context.actor(), now=context.now)


async def end_level_grant(context: RequestContext, grant_id: UUID) -> tiers.LevelGrant:
    """End a grant, by the member of staff who asks."""
    return await tiers.end_level_grant(grant_id, by=context.actor(), now=context.now)
