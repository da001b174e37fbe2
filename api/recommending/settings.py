"""By which numbers recommendations are trained and scored. Defaults: `domain.recommendations`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Self

from pydantic import BaseModel, NonNegativeInt, PositiveInt, model_validator

from domain.recommendations import Method, ScoringSettings

_DEFAULT: Final = ScoringSettings()


class RecommendationSettings(BaseModel):
    """What `docs/recommendation-model.md` defines; durations are in seconds."""

    method: Method = _DEFAULT.method
    shrinkage: float = _DEFAULT.shrinkage
    ease_regularization: float = _DEFAULT.ease_regularization
    again_popularity: float = _DEFAULT.again_popularity
    discover_popularity: float = _DEFAULT.discover_popularity
    theme_weight: float = _DEFAULT.theme_weight
    fade: float = _DEFAULT.fade
    inferred_half: float = _DEFAULT.inferred_half
    inferred_weight: float = _DEFAULT.inferred_weight

    train_every_s: PositiveInt = 86_400
    """How often a model is trained anew."""

    refresh_every_s: PositiveInt = 10
    """How often the lists of those to whom something happened are computed anew."""

    hold_out_days: NonNegativeInt = 30
    """A training tells how good a model without so many last days was at them; 0: it does not."""

    @property
    def held_out(self) -> timedelta | None:
        """How much of the time before a training judges its model."""
        return timedelta(days=self.hold_out_days) if self.hold_out_days else None

    @property
    def scoring(self) -> ScoringSettings:
        """The numbers in the formulas."""
        return ScoringSettings(
            method=self.method,
            shrinkage=self.shrinkage,
            ease_regularization=self.ease_regularization,
            again_popularity=self.again_popularity,
            discover_popularity=self.discover_popularity,
            theme_weight=self.theme_weight,
            fade=self.fade,
            inferred_half=self.inferred_half,
            inferred_weight=self.inferred_weight,
        )

    @model_validator(mode="after")
    def _are_sensible(self) -> Self:
        assert self.scoring
        return self
