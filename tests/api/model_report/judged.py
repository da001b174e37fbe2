"""Versions of a model as the report gets them, with figures made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.recommendations import Method, ModelStatus, RecommendationModel, ScoringSettings
from domain.recommendations.quality import Outcome, QualityCount

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
FIGURES = {
    "members": 4_012,
    "products": 3_000,
    "listed_members": 2_890,
    "seconds": {"counting": 4.2, "training": 1.2, "model": 2.0, "lists": 31.2, "hold-out": 12.2},
}


def quality(members: int) -> dict[str, Any]:
    """The figures of so many members: half of them had one product, others twenty."""
    counting = QualityCount(offered=100, popular=["x", "y"])
    for number in range(members):
        had = [f"P{each}" for each in range(20 if number % 2 else 1)]
        one = Outcome(
            history=had,
            later={"P0", "new", *(["other"] if number % 3 else [])},
            again=had,
            discover=["new"],
            explained=1,
        )
        counting.add(one)
    return counting.result(split_at=NOON - timedelta(days=30), until=NOON).as_facts()


def version(number: int, status: ModelStatus, *, members: int | None = None) -> RecommendationModel:
    """A version as of a day of its own; judged by so many members, or not at all."""
    trained = status in {ModelStatus.ACTIVE, ModelStatus.KEPT}
    figures: dict[str, Any] = dict(FIGURES) if trained else {}
    if members is not None:
        figures["quality"] = quality(members)
    return RecommendationModel(
        version=number,
        status=status,
        method=Method.EASE if number % 2 else Method.ITEM_ITEM,
        as_of=NOON + timedelta(days=number),
        started_at=NOON,
        renewed_at=NOON,
        finished_at=NOON if trained else None,
        settings=ScoringSettings(),
        figures=figures,
    )
