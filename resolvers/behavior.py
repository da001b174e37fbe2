"""What members look at."""

from __future__ import annotations

from collections.abc import Sequence

from domain import recommendations
from domain.recommendations import BehaviorEvent
from resolvers.context import RequestContext


async def track_behavior(context: RequestContext, events: Sequence[BehaviorEvent]) -> int:
    """Keep what the member who asks looked at, if they agreed to it."""
    member_id = context.require_member()
    return await recommendations.track_behavior(member_id, events, now=context.now)
