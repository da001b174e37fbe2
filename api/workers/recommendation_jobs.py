"""The recurring work of recommendations: a model now and then, and lists soon after something."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from api.recommending.settings import RecommendationSettings
from api.workers.jobs import BUSY, Job
from domain import purchases, recommendations
from domain.clock import Clock
from domain.recommendations import ShelfRefresher, TrainingUnderWay

log = structlog.get_logger("jifen.work")

YOUNG: Final = 0.5
"""A model that is younger than this part of the time between two is not trained anew."""


def recommendation_jobs(settings: RecommendationSettings, *, clock: Clock) -> tuple[Job, ...]:
    """Training, and refreshing with the model that serves, which this process then keeps."""
    refresher = ShelfRefresher(clock=clock)
    every = timedelta(seconds=settings.train_every_s)

    async def train() -> int:
        active = await recommendations.active_model()
        is_young = active is not None and clock.now() < active.started_at + every * YOUNG
        if is_young or not (active or await purchases.any_purchase()):
            return 0
        try:
            trained = await recommendations.train(
                settings.scoring, clock=clock, held_out=settings.held_out
            )
        except TrainingUnderWay as other:
            log.info("training_under_way", version=other.version)
            return 0
        listed: int = trained.figures["listed_members"]
        return listed

    async def refresh() -> int:
        return await refresher.refresh(within_s=settings.refresh_every_s * BUSY)

    refresh_every = timedelta(seconds=settings.refresh_every_s)
    return (
        Job(name="train-recommendations", every=every, run=train),
        Job(name="refresh-shelves", every=refresh_every, run=refresh),
    )
