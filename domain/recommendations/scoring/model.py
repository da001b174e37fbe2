"""A trained model: what scoring knows of products."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain.recommendations.scoring.explaining import ItemFacts
from domain.recommendations.scoring.items import Items
from domain.recommendations.scoring.settings import Method, ScoringSettings


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
        codes = [*self.items.codes, ""]
        for number, code in enumerate(self.items.codes):
            speaking = self.sources[number]
            named = speaking < len(self.items.codes)
            yield ItemFacts(
                product_code=code,
                popularity=float(self.popularity[number]),
                theme_code=self.items.themes[number],
                theme_share=float(self.theme_share[number]),
                neighbors=[
                    (codes[source], weight)
                    for source, weight in zip(
                        speaking[named].tolist(), self.weights[number][named].tolist(), strict=True
                    )
                ],
            )

    @classmethod
    def from_rows(cls, settings: ScoringSettings, rows: Iterable[ItemFacts]) -> Self:
        """The model that `rows` told, in any order: it scores exactly as that one.

        A neighbour that has no row of its own is left out.
        """
        # In the order of their codes, whatever the order of what they come from.
        facts = sorted(rows, key=lambda row: row.product_code)
        items = Items.of({row.product_code: row.theme_code for row in facts})
        size = len(facts)
        ease = settings.method is Method.EASE
        width = settings.ease_weights_max if ease else settings.neighbors_max
        sources = np.full((size, width), size, dtype=np.int32)
        weights = np.zeros((size, width))
        for number, row in enumerate(facts):
            known = [
                (items.numbers[code], weight)
                for code, weight in row.neighbors
                if code in items.numbers
            ][:width]
            if known:
                sources[number, : len(known)], weights[number, : len(known)] = zip(
                    *known, strict=True
                )
        return cls(
            settings=settings,
            items=items,
            popularity=np.array([row.popularity for row in facts], dtype=np.float64),
            theme_share=np.array([row.theme_share for row in facts], dtype=np.float64),
            sources=sources,
            weights=weights,
        )

    def with_products(self, themes: Mapping[str, str | None]) -> Model:
        """The same model with products that it did not know, as popular as its least popular one.

        What it knows stays as it is, its theme too. Call it with the catalogue before scoring:
        products that came after the training can then be listed.
        """
        known = dict(zip(self.items.codes, self.items.themes, strict=True))
        if themes.keys() <= known.keys():
            return self
        items = Items.of({**themes, **known})
        size = len(items.codes)
        places = np.array(
            [*(items.numbers[code] for code in self.items.codes), size], dtype=np.int32
        )
        least = self._least_of_themes()
        popularity = np.full(size, self.popularity.min(initial=1.0))
        theme_share = np.array(
            [0.0 if theme is None else least.get(theme, 1.0) for theme in items.themes],
            dtype=np.float64,
        )
        sources = np.full((size, self.sources.shape[1]), size, dtype=np.int32)
        weights = np.zeros((size, self.weights.shape[1]))
        moved = places[:-1]
        popularity[moved] = self.popularity
        theme_share[moved] = self.theme_share
        sources[moved] = places[self.sources]
        weights[moved] = self.weights
        return Model(
            settings=self.settings,
            items=items,
            popularity=popularity,
            theme_share=theme_share,
            sources=sources,
            weights=weights,
        )

    def _least_of_themes(self) -> dict[str, float]:
        least: dict[str, float] = {}
        for theme, share in zip(self.items.themes, self.theme_share.tolist(), strict=True):
            if theme is not None:
                least[theme] = min(share, least.get(theme, 1.0))
        return least


def shares(
    having: NDArray[np.int64], items: Items
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Popularity and share of its theme of each product, above 0 and at most 1.

    One member is counted more than there are, of each: what nobody has yet can be told from what
    is no product of the theme.
    """
    counted = having.astype(np.float64) + 1
    popularity = counted / counted.max(initial=1.0)
    most: dict[str, float] = {}
    for theme, count in zip(items.themes, counted.tolist(), strict=True):
        if theme is not None:
            most[theme] = max(count, most.get(theme, 1.0))
    below = [np.inf if theme is None else most[theme] for theme in items.themes]
    return popularity, counted / np.array(below, dtype=np.float64)
