"""What can be followed: a member's own stream of events."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from domain import outbox
from domain.outbox import Announced
from resolvers.context import RequestContext


async def follow(
    context: RequestContext, *, kind: str, after: int | None
) -> AsyncGenerator[Announced, None]:
    """The caller's events of one kind after a position, and those to come; None: only these."""
    member_id = context.require_member()
    if after is None:
        after = (await outbox.positions([member_id]))[member_id]
    return context.services.live.follow(member_id, after=after, kinds=frozenset({kind}))
