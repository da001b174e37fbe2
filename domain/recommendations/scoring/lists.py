"""The lists of a block of members."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from domain.recommendations.scoring.blocks import Block, Themes, block_of
from domain.recommendations.scoring.listed import DECIMALS, ListKind, Rows
from domain.recommendations.scoring.model import Model
from domain.recommendations.scoring.ranking import largest
from domain.recommendations.scoring.reasons import Pairs, Reasoning, rows_of_pairs
from domain.recommendations.scoring.taste import Offer, Taste

MEMBERS_MAX: Final = 1024
"""A block of more members is computed in parts of so many at most."""

_PLACES_MAX: Final = 1_000_000
"""A part has so many members that each matrix of them and all products takes 8 MB at most."""


class Scorer:
    """A model made ready to list: make one for many members, it takes a while.

    It changes nothing in itself: threads may share it.
    """

    def __init__(self, model: Model, offer: Offer) -> None:
        """Products of the offer that the model does not know are not listed: `with_products`."""
        self.model = model
        self.offer = offer
        size = len(model.items.codes)
        self._themes = Themes.of(model)
        self._speaking = _speaking(model)
        self._alike = _alike(model, self._themes)
        again = model.settings.again_popularity * model.popularity
        self._again_popular: list[float] = np.round(again, DECIMALS).tolist()
        self._popular = model.settings.discover_popularity * model.popularity
        self._of_theme = model.settings.theme_weight * model.theme_share
        self._active = _marked(offer.active, model)
        self._levels = np.zeros(size, dtype=np.int64)
        for code, rank in offer.level_ranks.items():
            if code in model.items.numbers:
                self._levels[model.items.numbers[code]] = rank
        self._given = np.flatnonzero(_marked(offer.rewards, model) & self._active)
        self._new = np.flatnonzero(_marked(offer.introduced, model) & self._active)
        self._all = np.flatnonzero(self._active)
        self._members_max = max(1, min(MEMBERS_MAX, _PLACES_MAX // max(size, 1)))

    def lists(self, tastes: Sequence[Taste]) -> list[Mapping[ListKind, Rows]]:
        """Of each member, in order, all five lists as they are stored; a list may be empty.

        Best first; equal scores by code. The lists of a member do not depend on the others of the
        block. Products of a history that the model does not know only make it longer.
        """
        found: list[Mapping[ListKind, Rows]] = []
        for start in range(0, len(tastes), self._members_max):
            found.extend(self._part(tastes[start : start + self._members_max]))
        return found

    def _part(self, tastes: Sequence[Taste]) -> Iterator[Mapping[ListKind, Rows]]:
        block = block_of(tastes, self.model, self._themes)
        hidden = self._hidden(block)
        owned = hidden.copy()
        owned[_rows_of(block.had), block.had.indices] = True
        prior = self._prior(block)
        liked = (block.had @ self._speaking).toarray()
        liked += prior
        best = {
            ListKind.DISCOVER: self._best(liked, owned, self._all),
            ListKind.REWARDS: self._best(liked, hidden, self._given),
            ListKind.LETTERS: self._best(liked, owned, self._new),
        }
        after = (block.newest @ self._speaking).toarray()
        after += prior
        # Without an order there is nothing that was bought just now.
        after[np.diff(block.newest.indptr) == 0] = -np.inf
        best[ListKind.AFTER_PURCHASE] = self._best(after, owned, self._all)
        reasoning = Reasoning(self.model, self._themes, self._alike, block)
        listed = {
            kind: self._rows(reasoning, found, newest=kind is ListKind.AFTER_PURCHASE)
            for kind, found in best.items()
        }
        for row, taste in enumerate(tastes):
            mine: dict[ListKind, Rows] = {ListKind.BUY_AGAIN: self._again(taste, hidden[row])}
            yield mine | {kind: rows[row] for kind, rows in listed.items()}

    def _prior(self, block: Block) -> NDArray[np.float64]:
        """What themes and popularity give, faded by the history."""
        fade = self.model.settings.fade
        prior = block.interest[:, self._themes.of_items]
        prior *= self._of_theme
        prior += self._popular
        prior *= (fade / (fade + block.sizes))[:, None]
        return prior

    def _hidden(self, block: Block) -> NDArray[np.bool_]:
        """What members are not shown, had or not; what is not on sale no list looks at."""
        ranks = np.array([taste.level_rank for taste in block.tastes], dtype=np.int64)
        hidden = self._levels[None, :] > ranks[:, None]
        numbers = self.model.items.numbers
        for row, taste in enumerate(block.tastes):
            for code in taste.not_interested:
                if code in numbers:
                    hidden[row, numbers[code]] = True
        return hidden

    def _best(
        self, scores: NDArray[np.float64], hidden: NDArray[np.bool_], among: NDArray[np.intp]
    ) -> tuple[Pairs, NDArray[np.float64]]:
        """The best products of each member, in order, and their scores; -inf is not listed."""
        offered = scores[:, among]
        offered[hidden[:, among]] = -np.inf
        best = np.sort(largest(offered, self.model.settings.listed_max), axis=1)
        found = np.round(np.take_along_axis(offered, best, axis=1), DECIMALS)
        # What rounding makes equal stands by code.
        order = np.argsort(-found, axis=1, kind="stable")
        found = np.take_along_axis(found, order, axis=1)
        rows, places = np.nonzero(found > -np.inf)
        products = among[np.take_along_axis(best, order, axis=1)[rows, places]]
        return Pairs(rows=rows, products=products), found[rows, places]

    def _rows(
        self, reasoning: Reasoning, found: tuple[Pairs, NDArray[np.float64]], *, newest: bool
    ) -> list[Rows]:
        """The products of each member of the part as they are stored."""
        pairs, scores = found
        rows = rows_of_pairs(
            self.model,
            pairs.products.tolist(),
            scores.tolist(),
            reasoning.cited(pairs, newest=newest),
        )
        ends = np.searchsorted(pairs.rows, np.arange(reasoning.members + 1)).tolist()
        return [rows[start:end] for start, end in pairwise(ends)]

    def _again(self, taste: Taste, hidden: NDArray[np.bool_]) -> Rows:
        """What was bought, by the orders that hold it, and by popularity among equals."""
        settings = self.model.settings
        numbers = self.model.items.numbers
        found = []
        for code, orders in taste.bought.items():
            number = numbers.get(code)
            if number is not None and self._active[number] and not hidden[number]:
                found.append((-orders - self._again_popular[number], code, orders, number))
        found.sort()
        rows = []
        for negative, code, orders, number in found[: settings.listed_max]:
            reasons: list[tuple[str, str | None, float]] = [("B", code, float(orders))]
            popular = self._again_popular[number]
            if popular > 0:
                reasons.append(("P", None, popular))
            if popular > orders:
                reasons.reverse()
            rows.append((code, round(-negative, DECIMALS), tuple(reasons[: settings.reasons_max])))
        return rows


def _alike(model: Model, themes: Themes) -> NDArray[np.bool_]:
    """Where in `sources` the theme is that of the product itself."""
    none = len(themes.numbers)
    of_sources = np.append(themes.of_items, np.int32(none))[model.sources]
    own: NDArray[np.int32] = themes.of_items[:, None]
    alike: NDArray[np.bool_] = (of_sources == own) & (own != none)
    return alike


def _speaking(model: Model) -> sparse.csr_array:
    """The weights as a matrix: what speaks by rows, what it speaks for by columns."""
    size = len(model.items.codes)
    named = model.sources < size
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(named.sum(axis=1))))
    places = (model.weights[named], model.sources[named], starts)
    return sparse.csc_array(places, shape=(size, size)).tocsr()


def _marked(codes: Collection[str], model: Model) -> NDArray[np.bool_]:
    marked = np.zeros(len(model.items.codes), dtype=np.bool_)
    numbers = model.items.numbers
    marked[[numbers[code] for code in codes if code in numbers]] = True
    return marked


def _rows_of(matrix: sparse.csr_array) -> NDArray[np.intp]:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
