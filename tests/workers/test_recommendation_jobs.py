"""Recommendations as recurring work: a model each day, lists soon after something happened."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.recommending.settings import RecommendationSettings
from api.workers.jobs import Job
from api.workers.recommendation_jobs import recommendation_jobs
from domain import recommendations
from domain.recommendations import Method, ScoringSettings
from domain.recommendations.versions import LEASE, begin_training
from tests.domain.purchases.shop import NOW
from tests.domain.recommendations.town import Town, a_crowd, a_town, hear_everything, statuses


@pytest.fixture
async def town(database: str) -> Town:
    return await a_town("ann", "ben", "cid")


def job(town: Town, name: str, **settings: object) -> Job:
    jobs = recommendation_jobs(
        RecommendationSettings.model_validate(settings, strict=False), clock=town.clock
    )
    [found] = [one for one in jobs if one.name == name]
    return found


async def test_a_programme_that_sold_nothing_trains_nothing(town: Town) -> None:
    await town.says("ann")
    assert await job(town, "train-recommendations").run() == 0
    assert await statuses() == []


async def test_a_model_is_trained_each_day_by_the_settings(town: Town) -> None:
    await a_crowd(town)
    await town.says("ann")
    train = job(town, "train-recommendations", method="EASE", fade=7.0)
    assert train.every == timedelta(days=1)
    assert await train.run() == 1
    model = await recommendations.active_model()
    assert model is not None
    assert (model.method, model.settings) == (
        Method.EASE,
        ScoringSettings(method=Method.EASE, fade=7.0),
    )
    # One that somebody trained by hand in the morning is good enough for today.
    town.clock.advance(hours=11)
    assert await train.run() == 0
    assert await statuses() == [(1, "ACTIVE")]
    town.clock.advance(hours=1)
    assert await train.run() == 1
    assert await statuses() == [(2, "ACTIVE"), (1, "KEPT")]


async def test_a_training_under_way_is_left_to_its_end(town: Town) -> None:
    await a_crowd(town)
    await begin_training(ScoringSettings(), as_of=NOW, now=NOW)
    train = job(town, "train-recommendations")
    assert await train.run() == 0
    assert await statuses() == [(1, "TRAINING")]
    town.clock.advance(seconds=LEASE.total_seconds())
    await train.run()
    assert (await statuses())[0] == (2, "ACTIVE")


async def test_lists_follow_within_ten_seconds(town: Town) -> None:
    await a_crowd(town)
    await town.says("ann")
    refresh = job(town, "refresh-shelves")
    assert refresh.every == timedelta(seconds=10)
    assert await refresh.run() == 0
    await town.trains()
    await town.buys("ann", "bag", at=NOW)
    await hear_everything()
    assert await refresh.run() == 1
    assert await refresh.run() == 0
    assert set(await town.codes("ann", "BUY_AGAIN")) == {"leaf", "pot", "bag"}


@pytest.mark.parametrize("settings", [{"fade": 0.0}, {"inferred_weight": 1.5}, {"method": "SVD"}])
def test_senseless_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"1 validation error"):
        RecommendationSettings.model_validate(settings)
