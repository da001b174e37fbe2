"""The lists of a block of members."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from domain.recommendations.scoring.blocks import Block, Themes, block_of
from domain.recommendations.scoring.listed import DECIMALS, ListKind, Rows
from domain.recommendations.scoring.model import Model
from domain.recommendations.scoring.ranking import largest
from domain.recommendations.scoring.reasons import Reasoning
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
        self._popular = model.settings.discover_popularity * model.popularity
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
        prior = self._prior(block)
        liked = np.round((block.had @ self._speaking).toarray() + prior, DECIMALS)
        after = np.round((block.newest @ self._speaking).toarray() + prior, DECIMALS)
        hidden = self._hidden(block)
        owned = hidden.copy()
        owned[_rows_of(block.had), block.had.indices] = True
        reasoning = Reasoning(self.model, self._themes, self._speaking, block)
        listings = {
            ListKind.DISCOVER: self._best(liked, owned, self._all),
            ListKind.AFTER_PURCHASE: self._best(after, owned, self._all),
            ListKind.REWARDS: self._best(liked, hidden, self._given),
            ListKind.LETTERS: self._best(liked, owned, self._new),
        }
        for row, taste in enumerate(tastes):
            mine: dict[ListKind, Rows] = {ListKind.BUY_AGAIN: self._again(taste, hidden[row])}
            for kind, listing in listings.items():
                numbers, scores = listing[row]
                newest = kind is ListKind.AFTER_PURCHASE
                if newest and block.newest.indptr[row] == block.newest.indptr[row + 1]:
                    mine[kind] = []
                else:
                    mine[kind] = reasoning.rows(row, numbers, scores, newest=newest)
            yield mine

    def _prior(self, block: Block) -> NDArray[np.float64]:
        """What themes and popularity give, faded by the history."""
        fade = self.model.settings.fade
        prior = block.interest[:, self._themes.of_items]
        prior *= self.model.theme_share
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
    ) -> list[tuple[list[int], list[float]]]:
        """Of each member, the numbers of the best products and their scores."""
        offered = np.where(hidden[:, among], -np.inf, scores[:, among])
        best = largest(offered, self.model.settings.listed_max)
        best_scores = np.take_along_axis(offered, best, axis=1)
        lengths = np.count_nonzero(best_scores > -np.inf, axis=1)
        return [
            (among[numbers[:length]].tolist(), found[:length].tolist())
            for numbers, found, length in zip(best, best_scores, lengths.tolist(), strict=True)
        ]

    def _again(self, taste: Taste, hidden: NDArray[np.bool_]) -> Rows:
        """What was bought, by the orders that hold it, and by popularity among equals."""
        model = self.model
        beta = model.settings.again_popularity
        found = []
        for code, orders in taste.bought.items():
            number = model.items.numbers.get(code)
            if number is not None and self._active[number] and not hidden[number]:
                popular = beta * float(model.popularity[number])
                found.append((-round(orders + popular, DECIMALS), code, orders, popular))
        return [
            [code, -negative, _again_reasons(code, orders, popular, model.settings.reasons_max)]
            for negative, code, orders, popular in sorted(found)[: model.settings.listed_max]
        ]


def _again_reasons(code: str, orders: int, popular: float, count: int) -> Rows:
    reasons = [["B", code, float(orders)], ["P", None, round(popular, DECIMALS)]]
    reasons.sort(key=lambda reason: -reason[2])
    return [reason for reason in reasons if reason[2] > 0][:count]


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
