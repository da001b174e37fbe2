"""The history of a member's level, with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.paging import Page, PageRequest, page_of
from domain.storage import fetch_all
from domain.tiers.ladder import LevelDefinition
from domain.tiers.level_rules import read_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChange:
    """One change of level; `seq` counts a member's changes from 1."""

    seq: int
    from_level: LevelDefinition | None
    to_level: LevelDefinition
    reason: str
    occurred_at: datetime


async def level_history(member_id: UUID, page: PageRequest) -> Page[LevelChange]:
    """A page of the member's changes of level, newest first, by the key (seq,)."""
    levels = {level.code: level for level in await read_levels()}
    rows = await fetch_all(
        "SELECT seq, from_code, to_code, reason, occurred_at FROM level_change "
        "WHERE member_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3",
        member_id,
        page.after[0] if page.after else 2**62,
        page.limit,
    )
    changes = [
        LevelChange(
            seq=row["seq"],
            from_level=levels.get(row["from_code"]),
            to_level=levels[row["to_code"]],
            reason=row["reason"],
            occurred_at=row["occurred_at"],
        )
        for row in rows
    ]
    return page_of(changes, first=page.first, key=lambda change: (change.seq,))
