"""Members who are about to be erased."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from domain.storage import fetch_all


async def lock_leaving(member_ids: Collection[UUID]) -> Sequence[UUID]:
    """Lock the members' rows until the transaction ends, and answer which of them there are.

    Whoever signs one of them in at the same time waits, and then finds that they are gone.
    """
    rows = await fetch_all(
        "SELECT id FROM member WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", list(member_ids)
    )
    return [row["id"] for row in rows]
