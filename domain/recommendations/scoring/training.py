"""From counts to a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.recommendations.scoring.counting import PairCounts
from domain.recommendations.scoring.model import Model, shares
from domain.recommendations.scoring.ranking import largest
from domain.recommendations.scoring.settings import EASE_ITEMS_MAX, Method, ScoringSettings

WEIGHT_DECIMALS: Final = 8
"""Weights are rounded to so many places: what is stored is what was trained."""

_PLACES_MAX: Final = 2_000_000
"""So many places of a matrix are looked at in one step: 16 MB."""

_SWEPT: Final = 512
"""Rows of a block of the matrix that is inverted."""

_Told: TypeAlias = Callable[[int, int], None]
_Block: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]
"""Products, what speaks for each, and how much it does."""

_Step: TypeAlias = tuple[int, int, _Block]
"""How many steps of how many are done, and what came of the last."""


def train_model(
    counts: PairCounts,
    settings: ScoringSettings,
    *,
    on_progress: _Told | None = None,
) -> Model:
    """The model of what was counted; the same counts make the same model.

    `on_progress` is told how many steps of how many are done, from the calling thread, at least
    every few seconds. Run it in a thread of its own: it computes for up to some minutes, and lets
    other threads run meanwhile.
    With EASE, the 10,000 products that most have are compared; others have no neighbours.
    """
    size = len(counts.items.codes)
    ease = settings.method is Method.EASE
    width = settings.ease_weights_max if ease else settings.neighbors_max
    sources = np.full((size, width), size, dtype=np.int32)
    weights = np.zeros((size, width))
    for done, total, (products, speaking, much) in (_ease if ease else _likeness)(counts, settings):
        found = np.round(much, WEIGHT_DECIMALS)
        # Rounding makes ties, and what is nothing says nothing.
        order = np.argsort(-found, axis=1, kind="stable")
        found = np.take_along_axis(found, order, axis=1)
        named = np.where(found == 0, size, np.take_along_axis(speaking, order, axis=1))
        sources[products, : found.shape[1]] = named
        weights[products, : found.shape[1]] = found
        if on_progress is not None:
            on_progress(done, total)
    popularity, theme_share = shares(counts.having(), counts.items)
    return Model(
        settings=settings,
        items=counts.items,
        popularity=popularity,
        theme_share=theme_share,
        sources=sources,
        weights=weights,
    )


def _likeness(counts: PairCounts, settings: ScoringSettings) -> Iterator[_Step]:
    """The cosine of who has a product with who has each other, the largest of each product."""
    root = np.sqrt(counts.having().astype(np.float64))
    for start, stop in _steps(len(root)):
        together = counts.rows(start, stop).astype(np.float64)
        products = np.arange(start, stop)
        together[np.arange(stop - start), products] = 0
        below = root[start:stop, None] * root[None, :] + settings.shrinkage
        # Nobody has what is divided by 0, and nobody has it together with anything.
        cosine = np.divide(together, below, out=together, where=below > 0)
        named = np.sort(largest(cosine, settings.neighbors_max), axis=1)
        found = np.take_along_axis(cosine, named, axis=1)
        yield stop, len(root), (products, named, found)


def _ease(counts: PairCounts, settings: ScoringSettings) -> Iterator[_Step]:
    """B = I - P / diag(P), P = (X'X + lambda I)^-1 (Steck 2019), the largest of each column."""
    having = counts.having()
    most = np.sort(np.argsort(-having, kind="stable")[:EASE_ITEMS_MAX])
    total = 2 * len(most)
    inverse = _regressed(counts, most, settings.ease_regularization)
    nothing = np.zeros((0, settings.ease_weights_max))
    for swept in _invert(inverse):
        yield swept, total, (most[:0], nothing.astype(np.intp), nothing)
    diagonal = np.diagonal(inverse).copy()
    for start, stop in _steps(len(most)):
        # Of the symmetric inverse only the lower half was computed; its sign falls out.
        rows = inverse[start:stop].copy()
        rows[:, stop:] = inverse[stop:, start:stop].T
        square = inverse[start:stop, start:stop]
        rows[:, start:stop] = np.tril(square) + np.tril(square, -1).T
        weights = rows / -diagonal[start:stop, None]
        weights[np.arange(stop - start), np.arange(start, stop)] = 0
        named = np.sort(largest(np.abs(weights), settings.ease_weights_max), axis=1)
        found = np.take_along_axis(weights, named, axis=1)
        yield len(most) + stop, total, (most[start:stop], most[named], found)


def _regressed(
    counts: PairCounts, most: NDArray[np.intp], regularization: float
) -> NDArray[np.float64]:
    """The matrix that is inverted: who has two of these products, and more on the diagonal."""
    matrix = np.empty((len(most), len(most)))
    for start, stop in _steps(len(counts.items.codes)):
        inside = np.flatnonzero((most >= start) & (most < stop))
        if len(inside):
            matrix[inside] = counts.rows(start, stop)[most[inside] - start][:, most]
    matrix[np.diag_indices_from(matrix)] += regularization
    return matrix


def _invert(matrix: NDArray[np.float64]) -> Iterator[int]:
    """Put the negative inverse of a positive definite matrix in its place, its lower half alone.

    Swept block by block (Dempster 1969): one matrix of 800 MB, not three; and between blocks there
    is time for others, where a call of LAPACK would keep the interpreter to itself for a minute.
    Yields how many rows are swept.
    """
    size = len(matrix)
    blocks = [(start, min(start + _SWEPT, size)) for start in range(0, size, _SWEPT)]
    for left, right in blocks:
        column = np.concatenate((matrix[left:right, :left].T, matrix[left:, left:right]))
        inverse = np.linalg.inv(matrix[left:right, left:right])
        inverse = (inverse + inverse.T) / 2
        scaled = column @ inverse
        for top, bottom in blocks:
            if top != left:
                matrix[top:bottom, :bottom] -= scaled[top:bottom] @ column[:bottom].T
        matrix[left:right, :left] = scaled[:left].T
        matrix[left:right, left:right] = -inverse
        matrix[right:, left:right] = scaled[right:]
        yield right


def _steps(size: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows of a square matrix, of so many places at most."""
    step = max(1, _PLACES_MAX // max(size, 1))
    return ((start, min(start + step, size)) for start in range(0, size, step))
