"""Whether anything was bought, and when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from domain.storage import fetch_all, fetch_one


async def any_purchase() -> bool:
    """Whether a purchase was recorded, by any shop. One row is read at most."""
    return await fetch_one("SELECT 1 AS found FROM purchase LIMIT 1") is not None


async def last_placed(
    member_ids: Collection[UUID], *, since: datetime, until: datetime
) -> Mapping[UUID, datetime]:
    """When each of these members placed their last order of this span, whose end is exclusive.

    One statement. Who placed none is left out.
    """
    rows = await fetch_all(
        "SELECT p.member_id, p.placed_at FROM purchase p"
        " WHERE p.member_id = ANY($1::uuid[]) AND p.placed_at = (SELECT MAX(o.placed_at)"
        " FROM purchase o WHERE o.member_id = p.member_id AND o.placed_at >= $2"
        " AND o.placed_at < $3)",
        *(sorted(member_ids), since, until),
    )
    return {row["member_id"]: row["placed_at"] for row in rows}
