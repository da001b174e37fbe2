"""What changed about a member."""

from __future__ import annotations

from uuid import UUID

from domain import outbox
from domain.outbox import StreamPage


async def changes(member_id: UUID, *, after: int | None, limit: int) -> StreamPage:
    """The member's events after a position, in order; from the oldest that is kept without one."""
    if after is None:
        after = await outbox.first_kept(member_id)
    return await outbox.stream_page(member_id, after=after, limit=limit)
