"""The history of a member's level, with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.storage import fetch_all
from domain.tiers.ladder import LevelDefinition
from domain.tiers.standing import read_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChange:
    """One change of level; `seq` counts a member's changes from 1."""

    seq: int
    from_level: LevelDefinition | None
    to_level: LevelDefinition
    reason: str
    occurred_at: datetime


async def level_history(
    member_id: UUID, *, first: int, before_seq: int | None = None
) -> Sequence[LevelChange]:
    """At most `first` changes, newest first, older than `before_seq`."""
    levels = {level.code: level for level in await read_levels()}
    rows = await fetch_all(
        "SELECT seq, from_code, to_code, reason, occurred_at FROM level_change "
        "WHERE member_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3",
        member_id,
        before_seq if before_seq is not None else 2**62,
        first,
    )
    return [
        LevelChange(
            seq=row["seq"],
            from_level=levels.get(row["from_code"]),
            to_level=levels[row["to_code"]],
            reason=row["reason"],
            occurred_at=row["occurred_at"],
        )
        for row in rows
    ]
