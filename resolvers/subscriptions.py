"""What can be followed: a member's own stream of events."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from domain.outbox import Announced
from resolvers.context import RequestContext


async def follow(
    context: RequestContext, *, kind: str, after: int | None
) -> AsyncGenerator[Announced, None]:
    """The caller's events of one kind after a position, and those to come; None: only these."""
    member_id, live = context.require_member(), context.services.live
    if after is None:
        after = await live.position(member_id)
    return live.follow(member_id, after=after, kinds=frozenset({kind}))
