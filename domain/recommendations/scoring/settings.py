"""What a model is trained and scored by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import inf
from typing import Any, Final, Self

EASE_ITEMS_MAX: Final = 10_000
"""EASE inverts a matrix of so many rows at most: 800 MB, and about a minute of two cores."""


class Method(StrEnum):
    """How the likeness of two products is found."""

    ITEM_ITEM = "ITEM_ITEM"
    """The cosine of who has them."""

    EASE = "EASE"
    """The weights of a ridge regression of each product on all others (Steck 2019)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringSettings:
    """The numbers in the formulas; kept with each model, and the same for training and scoring.

    ValueError for a number that the formulas have no meaning for.
    """

    method: Method = Method.ITEM_ITEM

    neighbors_max: int = 50
    """How many products may speak for a product: item-item."""

    shrinkage: float = 10.0
    """Added below the fraction of the cosine: likeness that few members attest counts less."""

    ease_regularization: float = 300.0
    """What is added to the diagonal: EASE."""

    ease_weights_max: int = 200
    """How many products may speak for, or against, a product: EASE."""

    again_popularity: float = 2.0
    """β: what the most popular product counts among what was bought, where an order counts 1."""

    discover_popularity: float = 0.05
    """γ: what the most popular product counts, where likeness is at most about 1."""

    theme_weight: float = 0.025
    """θ: what the most popular product of a declared theme counts besides. Half of γ: a theme is a
    prior. Much more makes it a quota, which costs recall."""

    fade: float = 5.0
    """F: with so many products in the history, themes and popularity count half."""

    inferred_half: float = 5.0
    """K: with so many products of a theme, an inferred interest is half of what it may be."""

    inferred_weight: float = 0.5
    """δ: what an inferred interest may come to, where a declared one is 1."""

    listed_max: int = 40
    """How many products a list holds."""

    reasons_max: int = 3
    """How many reasons are cited. Five would fit: three is a choice of speed: finding and keeping
    reasons is most of the time and of the room that lists take."""

    def __post_init__(self) -> None:
        counts = (self.neighbors_max, self.ease_weights_max, self.listed_max, self.reasons_max)
        divided_by = (self.ease_regularization, self.fade, self.inferred_half)
        weights = (
            *(self.shrinkage, self.again_popularity),
            *(self.discover_popularity, self.theme_weight),
        )
        # Written so that what is no number is refused too.
        if not (
            all(count >= 1 for count in counts)
            and all(0 < value < inf for value in divided_by)
            and all(0 <= value < inf for value in weights)
            and 0 <= self.inferred_weight <= 1
        ):
            raise ValueError(f"no such settings: {self}")

    def as_facts(self) -> dict[str, Any]:
        """The settings as JSON keeps them."""
        return asdict(self) | {"method": self.method.value}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """The settings that `as_facts` told; what an older model does not name has its default."""
        return cls(**{**facts, "method": Method(facts["method"])})
