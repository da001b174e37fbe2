"""A trained model: what scoring knows of products."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain.recommendations.scoring.explaining import ItemFacts
from domain.recommendations.scoring.items import Items
from domain.recommendations.scoring.settings import ScoringSettings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """The products, in the order of `items`, with what speaks for them.

    `popularity` and `theme_share` as of `ItemFacts`. `sources[j]` are the numbers of the products
    that speak for product j, largest weight first, filled up with the number of products;
    `weights[j]` how much each does, filled up with 0.
    """

    settings: ScoringSettings
    items: Items
    popularity: NDArray[np.float64]
    theme_share: NDArray[np.float64]
    sources: NDArray[np.int32]
    weights: NDArray[np.float64]

    def rows(self) -> Iterator[ItemFacts]:
        """The model as it is stored, a row of each product."""
        raise NotImplementedError

    @classmethod
    def from_rows(cls, settings: ScoringSettings, rows: Iterable[ItemFacts]) -> Self:
        """The model that `rows` told, in any order: it scores exactly as that one."""
        raise NotImplementedError

    def with_products(self, themes: Mapping[str, str | None]) -> Model:
        """The same model with products that it did not know, as bought by nobody.

        What it knows stays as it is, its theme too. Call it with the catalogue before scoring:
        products that came after the training can then be listed.
        """
        raise NotImplementedError
