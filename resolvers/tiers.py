"""Levels."""

from __future__ import annotations

from uuid import UUID

from domain import tiers
from domain.paging import Page, PageRequest


async def tier_history(member_id: UUID, page: PageRequest) -> Page[tiers.LevelChange]:
    """A page of the member's changes of level, newest first."""
    return await tiers.level_history(member_id, page)
