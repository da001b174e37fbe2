"""What speaks for each listed product of members, and how much exactly.

The contribution of a product of the history is the score less the score without it, everything
reckoned anew: its own weight goes, the history is one shorter, and of its theme, if that is only
inferred, one less is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from domain.recommendations.scoring.blocks import Block, Themes, inferred
from domain.recommendations.scoring.listed import DECIMALS, Rows
from domain.recommendations.scoring.model import Model
from domain.recommendations.scoring.ranking import largest


class Reasoning:
    """The reasons of a block of members; see the module."""

    def __init__(
        self, model: Model, themes: Themes, speaking: sparse.csr_array, block: Block
    ) -> None:
        self._model = model
        self._themes = themes
        self._block = block
        # The rows of the weights of all histories, one after the other.
        self._of_histories = speaking[block.had.indices]
        self._columns = np.full(len(model.items.codes), -1, dtype=np.int32)
        fade = model.settings.fade
        self._faded = fade / (fade + block.sizes)
        self._faded_without = fade / (fade + np.maximum(block.sizes - 1, 0))
        self._without_one = inferred(np.maximum(block.counted - 1, 0), model)

    def rows(
        self, row: int, numbers: Sequence[int], scores: Sequence[float], *, newest: bool
    ) -> Rows:
        """The products with these numbers as they are stored, of the member in this row.

        `newest`: only what the newest order holds speaks for them, as in AFTER_PURCHASE.
        """
        model = self._model
        wanted = np.array(numbers, dtype=np.int64)
        themes = self._themes.of_items[wanted]
        by_theme = self._block.interest[row, themes] * model.theme_share[wanted]
        by_all = model.settings.discover_popularity * model.popularity[wanted]
        cited = self._bought(row, wanted, by_theme + by_all, newest=newest)
        interests = np.round(self._faded[row] * by_theme, DECIMALS).tolist()
        popular = np.round(self._faded[row] * by_all, DECIMALS).tolist()
        codes, themes_of = model.items.codes, model.items.themes
        rows: Rows = []
        for place, (number, score) in enumerate(zip(numbers, scores, strict=True)):
            reasons: list[list[Any]] = cited[place]
            if interests[place] > 0:
                reasons.append(["I", themes_of[number], interests[place]])
            if popular[place] > 0:
                reasons.append(["P", None, popular[place]])
            reasons.sort(key=_less)
            del reasons[model.settings.reasons_max :]
            rows.append([codes[number], score, reasons])
        return rows

    def _bought(
        self, row: int, wanted: NDArray[np.int64], prior: NDArray[np.float64], *, newest: bool
    ) -> list[list[list[Any]]]:
        """The products of the history that speak for each wanted one, as reasons."""
        had = self._block.had
        history = had.indices[had.indptr[row] : had.indptr[row + 1]]
        if not len(history):
            return [[] for _ in wanted]
        lost = self._weights(row, history, wanted, newest=newest)
        lost += (self._faded[row] * prior)[:, None]
        lost -= self._faded_without[row] * self._prior_without(row, history, wanted, prior)
        np.round(lost, DECIMALS, out=lost)
        first = largest(lost, self._model.settings.reasons_max)
        codes = self._model.items.codes
        return [
            [
                ["B", codes[number], contribution]
                for number, contribution in zip(speaking, contributions, strict=True)
                if contribution > 0
            ]
            for speaking, contributions in zip(
                history[first].tolist(),
                np.take_along_axis(lost, first, axis=1).tolist(),
                strict=True,
            )
        ]

    def _weights(
        self, row: int, history: NDArray[np.int32], wanted: NDArray[np.int64], *, newest: bool
    ) -> NDArray[np.float64]:
        """The weights of the history (columns) for the wanted products (rows)."""
        start, stop = self._block.had.indptr[row], self._block.had.indptr[row + 1]
        starts = self._of_histories.indptr[start : stop + 1]
        inside = slice(starts[0], starts[-1])
        self._columns[wanted] = np.arange(len(wanted), dtype=np.int32)
        places = self._columns[self._of_histories.indices[inside]]
        self._columns[wanted] = -1
        listed = np.flatnonzero(places >= 0)
        speaking = np.repeat(np.arange(len(history)), np.diff(starts))[listed]
        weights = np.zeros((len(wanted), len(history)))
        weights[places[listed], speaking] = self._of_histories.data[inside][listed]
        if newest:
            order = self._block.newest
            held = order.indices[order.indptr[row] : order.indptr[row + 1]]
            weights[:, ~np.isin(history, held)] = 0
        return weights

    def _prior_without(
        self,
        row: int,
        history: NDArray[np.int32],
        wanted: NDArray[np.int64],
        prior: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Themes and popularity for the wanted products (rows) without each of the history."""
        themes = self._themes.of_items[wanted]
        block = self._block
        less = block.interest[row, themes] - self._without_one[row, themes]
        less[block.declared[row, themes]] = 0
        less[themes == len(self._themes.numbers)] = 0
        same = themes[:, None] == self._themes.of_items[history][None, :]
        change: NDArray[np.float64] = less * self._model.theme_share[wanted]
        return prior[:, None] - same * change[:, None]


def _less(reason: list[Any]) -> float:
    contribution: float = reason[2]
    return -contribution
