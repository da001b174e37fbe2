"""Who is handed the events of the outbox."""

from __future__ import annotations

from collections.abc import Sequence

from redis import asyncio as aioredis

from api.settings import Settings
from api.telling.opening import opened_channels
from api.workers.timelines import TELLING
from domain.games import binding_consumer, buyers_consumer, webhook_consumer
from domain.members import timeline_consumer
from domain.notifications import deliveries_consumer, notification_consumer
from domain.outbox import Announced, Consumer, publish_hints
from domain.recommendations import behavior_consumer, shelves_consumer


def consumers_with(settings: Settings, *, redis: aioredis.Redis) -> tuple[Consumer, ...]:
    """All consumers of the programme, the same in every worker, in the order of their turns."""

    async def tell_followers(events: Sequence[Announced]) -> None:
        await publish_hints(redis, events)

    kept = (
        timeline_consumer(TELLING),
        behavior_consumer(),
        shelves_consumer(),
        webhook_consumer(),
        binding_consumer(),
        buyers_consumer(),
        notification_consumer(),
        deliveries_consumer(opened_channels(settings)),
    )
    if settings.redis_url.startswith("memory:"):
        # Whoever follows is in this process, and hears the commits themselves.
        return kept
    return (Consumer("live", None, tell_followers), *kept)
