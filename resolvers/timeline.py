"""The timeline of a member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from domain import members, tiers
from domain.members import TimelineItem
from domain.paging import Page, PageRequest
from domain.tiers import LevelDefinition
from resolvers.context import RequestContext

_NAMES_A_LEVEL = frozenset({"LEVEL_CHANGED"})


@dataclass(frozen=True, slots=True)
class TimelineRecord:
    """Something that happened, with the levels by code where its title may name one."""

    item: TimelineItem
    levels: Mapping[str, LevelDefinition]


async def timeline(
    context: RequestContext, member_id: UUID, page: PageRequest, *, for_staff: bool = False
) -> Page[TimelineRecord]:
    """A page of what happened to the member, newest first."""
    found = await members.timeline(member_id, page, for_staff=for_staff)
    named = any(item.kind in _NAMES_A_LEVEL for item in found.items)
    levels = await context.once.read("levels", tiers.read_levels) if named else ()
    by_code = {level.code: level for level in levels}
    records = [TimelineRecord(item, by_code) for item in found.items]
    return Page(items=records, keys=found.keys, has_next=found.has_next)
