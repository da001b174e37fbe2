"""Who is handed events, with a Redis and without one; and that all of them end up somewhere."""

from __future__ import annotations

from pathlib import Path

import fakeredis
import pytest

from api.settings import Settings
from api.workers.consumers import consumers_with
from api.workers.timelines import TELLING

KEPT = [
    *("timeline", "behavior", "shelves", "webhooks", "game-bindings", "game-buyers"),
    *("notifications", "deliveries"),
]


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("memory://", KEPT),
        ("redis://127.0.0.1:1/0", ["live", *KEPT]),
    ],
)
async def test_what_is_kept_of_events_is_so_with_and_without_a_redis(
    url: str, names: list[str], tmp_path: Path
) -> None:
    settings = Settings(
        database_url=f"sqlite://{tmp_path / 'x.db'}",
        redis_url=url,
        key_set_path=tmp_path / "keys.json",
    )
    async with fakeredis.FakeAsyncRedis() as redis:
        consumers = consumers_with(settings, redis=redis)
    assert [consumer.name for consumer in consumers] == names
    [timeline] = [consumer for consumer in consumers if consumer.name == "timeline"]
    assert timeline.kinds == frozenset(TELLING)
