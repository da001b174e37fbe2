"""From counts to a model."""

from __future__ import annotations

from collections.abc import Callable

from domain.recommendations.scoring.counting import PairCounts
from domain.recommendations.scoring.model import Model
from domain.recommendations.scoring.settings import ScoringSettings


def train_model(
    counts: PairCounts,
    settings: ScoringSettings,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Model:
    """The model of what was counted; the same counts make the same model.

    `on_progress` is told how many products of how many are done, from the calling thread, in steps
    of at most some seconds (EASE: its inversion is one step). Run it in a thread of its own: it
    computes for up to a minute.
    With EASE, the 10,000 products that most have are compared; others have no neighbours.
    """
    raise NotImplementedError
