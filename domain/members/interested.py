"""Who cares for a theme, declared or inferred: a walk over them in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from domain.storage import fetch_all

_FIRST: Final = UUID(int=0)


async def interested_members(
    themes: Collection[str], *, after: UUID | None, limit: int
) -> list[UUID]:
    """Members who care for any of these themes, in the order of their ids; empty at the end.

    One statement, none for no theme.
    """
    if not themes:
        return []
    rows = await fetch_all(
        "SELECT DISTINCT member_id FROM member_interest"
        " WHERE member_id > $1 AND theme_code = ANY($2::text[]) ORDER BY member_id LIMIT $3",
        *(after or _FIRST, sorted(themes), limit),
    )
    return [row["member_id"] for row in rows]
