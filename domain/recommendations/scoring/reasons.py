"""What speaks for each listed product of members, and how much exactly.

The contribution of a product of the history is the score less the score without it, everything
reckoned anew: its own weight goes, the history is one shorter, and of its theme, if that is only
inferred, one less is counted. So each product of the history brings its weight and, for one listed
product, one of two amounts: that of the products of the same theme, or that of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from domain.recommendations.scoring.blocks import Block, Themes
from domain.recommendations.scoring.interest import inferred
from domain.recommendations.scoring.listed import DECIMALS
from domain.recommendations.scoring.model import Model
from domain.recommendations.scoring.ranking import first_of

Cited = list[tuple[Any, ...]]
"""The reasons for one product as they are stored."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Members, by their rows in a block, and for each a product that is listed."""

    rows: NDArray[np.intp]
    products: NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Amounts:
    """Of each pair, what theme and popularity give, and what is lost of it with a product of the
    history: one of the same theme, one of another. All are rounded.
    """

    by_theme: NDArray[np.float64]
    by_all: NDArray[np.float64]
    same: NDArray[np.float64]
    other: NDArray[np.float64]


class Reasoning:
    """The reasons of a block of members; see the module."""

    def __init__(
        self, model: Model, themes: Themes, alike: NDArray[np.bool_], block: Block
    ) -> None:
        """`alike` has where in `model.sources` the theme is that of the product itself."""
        self.members = len(block.tastes)
        self._model = model
        self._themes = themes
        self._alike = alike
        self._block = block
        self._had = _marks(block.had)
        self._newest = _marks(block.newest)
        self._of_themes: dict[int, dict[int, list[int]]] = {}

    def cited(self, pairs: Pairs, *, newest: bool) -> list[Cited]:
        """The reasons of each pair, largest first.

        `newest`: only what the newest order holds speaks by its weight, as in AFTER_PURCHASE.
        """
        most = self._model.settings.reasons_max
        codes, themes = self._model.items.codes, self._model.items.themes
        amounts = self._amounts(pairs)
        found: list[Cited] = [[] for _ in pairs.rows]
        places, speaking, lost = self._speaking(pairs, amounts, newest=newest)
        for place, number, contribution in zip(
            places.tolist(), speaking.tolist(), lost.tolist(), strict=True
        ):
            found[place].append(("B", codes[number], contribution))
        for place in self._short(places, lost, amounts).tolist():
            amount = float(amounts.same[place])
            row, product = int(pairs.rows[place]), int(pairs.products[place])
            for number in self._silent(row, product, newest=newest):
                found[place].append(("B", codes[number], amount))
        for reasons, product, by_theme, by_all in zip(
            found,
            pairs.products.tolist(),
            amounts.by_theme.tolist(),
            amounts.by_all.tolist(),
            strict=True,
        ):
            if by_theme > 0:
                reasons.append(("I", themes[product], by_theme))
            if by_all > 0:
                reasons.append(("P", None, by_all))
            reasons.sort(key=_less)
            del reasons[most:]
        return found

    def _amounts(self, pairs: Pairs) -> _Amounts:
        model, block, rows = self._model, self._block, pairs.rows
        fade = model.settings.fade
        faded = (fade / (fade + block.sizes))[rows]
        faded_without = (fade / (fade + np.maximum(block.sizes - 1, 0)))[rows]
        themes = self._themes.of_items[pairs.products]
        share = model.settings.theme_weight * model.theme_share[pairs.products]
        interest = block.interest[rows, themes]
        less = interest - inferred(np.maximum(block.counted[rows, themes] - 1, 0), model.settings)
        less[block.declared[rows, themes] | (themes == len(self._themes.numbers))] = 0
        by_theme = interest * share
        by_all = model.settings.discover_popularity * model.popularity[pairs.products]
        prior = by_theme + by_all
        amounts = (
            *(faded * by_theme, faded * by_all),
            faded * prior - faded_without * (prior - less * share),
            faded * prior - faded_without * prior,
        )
        rounded = [np.round(amount, DECIMALS) for amount in amounts]
        return _Amounts(by_theme=rounded[0], by_all=rounded[1], same=rounded[2], other=rounded[3])

    def _speaking(
        self, pairs: Pairs, amounts: _Amounts, *, newest: bool
    ) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float64]]:
        """The products that speak by their weights: of which pair, which, and what is lost.

        The largest weights stand first; of each theme, the same or another, the first are enough.
        """
        model, most = self._model, self._model.settings.reasons_max
        sources = model.sources[pairs.products]
        alike = self._alike[pairs.products]
        marks = self._newest if newest else self._had
        owned = marks[pairs.rows[:, None], sources]
        kept = first_of(owned & alike, most) | first_of(owned & ~alike, most)
        places, columns = np.nonzero(kept)
        same = alike[places, columns]
        lost = model.weights[pairs.products[places], columns]
        lost = lost + np.where(same, amounts.same[places], amounts.other[places])
        lost = np.round(lost, DECIMALS)
        counts = lost > 0
        return places[counts], sources[places, columns][counts], lost[counts]

    def _short(
        self, places: NDArray[np.intp], lost: NDArray[np.float64], amounts: _Amounts
    ) -> NDArray[np.intp]:
        """The pairs for which products of the theme may be cited that have no weight."""
        larger = np.bincount(places[lost >= amounts.same[places]], minlength=len(amounts.same))
        wanted = (amounts.same > 0) & (larger < self._model.settings.reasons_max)
        return np.flatnonzero(wanted)

    def _silent(self, row: int, product: int, *, newest: bool) -> list[int]:
        """The first of the history, of the theme of `product`, that do not speak by weight."""
        if row not in self._of_themes:
            had = self._block.had
            of_themes: dict[int, list[int]] = {}
            for number in had.indices[had.indptr[row] : had.indptr[row + 1]].tolist():
                of_themes.setdefault(int(self._themes.of_items[number]), []).append(number)
            self._of_themes[row] = of_themes
        among = self._of_themes[row].get(int(self._themes.of_items[product]), [])
        if not among:
            return []
        marks = (self._newest if newest else self._had)[row]
        speaking = self._model.sources[product].tolist()
        silent = (number for number in among if number not in speaking or not marks[number])
        return list(islice(silent, self._model.settings.reasons_max))


def rows_of_pairs(
    model: Model, products: Sequence[int], scores: Sequence[float], cited: Sequence[Cited]
) -> list[tuple[Any, ...]]:
    """Products with scores and reasons as they are stored.

    They are tuples, which JSON writes as lists: of millions of lists the collector of garbage
    would look at each again and again.
    """
    codes = model.items.codes
    return [
        (codes[product], score, tuple(reasons))
        for product, score, reasons in zip(products, scores, cited, strict=True)
    ]


def _marks(matrix: sparse.csr_array) -> NDArray[np.bool_]:
    """Where the matrix has anything; a last column, that stands for no product, is empty."""
    members, products = matrix.shape
    marks = np.zeros((members, products + 1), dtype=np.bool_)
    marks[np.repeat(np.arange(members), np.diff(matrix.indptr)), matrix.indices] = True
    return marks


def _less(reason: tuple[Any, ...]) -> float:
    contribution: float = reason[2]
    return -contribution
