"""From counts to a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from domain.recommendations.scoring.counting import PairCounts
from domain.recommendations.scoring.model import Model, shares
from domain.recommendations.scoring.ranking import largest
from domain.recommendations.scoring.settings import EASE_ITEMS_MAX, Method, ScoringSettings

WEIGHT_DECIMALS: Final = 8
"""Weights are rounded to so many places: what is stored is what was trained."""

_PLACES_MAX: Final = 2_000_000
"""So many places of a matrix are looked at in one step: 16 MB."""

_Told: TypeAlias = Callable[[int, int], None]
_Block: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]
"""Products, what speaks for each, and how much it does."""


def train_model(
    counts: PairCounts,
    settings: ScoringSettings,
    *,
    on_progress: _Told | None = None,
) -> Model:
    """The model of what was counted; the same counts make the same model.

    `on_progress` is told how many products of how many are done, from the calling thread, in steps
    of at most some seconds (EASE: its inversion is one step). Run it in a thread of its own: it
    computes for up to a minute.
    With EASE, the 10,000 products that most have are compared; others have no neighbours.
    """
    size = len(counts.items.codes)
    ease = settings.method is Method.EASE
    width = settings.ease_weights_max if ease else settings.neighbors_max
    sources = np.full((size, width), size, dtype=np.int32)
    weights = np.zeros((size, width))
    done = 0
    for products, speaking, much in (_ease if ease else _likeness)(counts, settings):
        found = np.round(much, WEIGHT_DECIMALS)
        # Rounding makes ties, and what is nothing says nothing.
        order = np.argsort(-found, axis=1, kind="stable")
        found = np.take_along_axis(found, order, axis=1)
        named = np.where(found == 0, size, np.take_along_axis(speaking, order, axis=1))
        sources[products, : found.shape[1]] = named
        weights[products, : found.shape[1]] = found
        done += len(products)
        if on_progress is not None:
            on_progress(done, size)
    popularity, theme_share = shares(counts.having(), counts.items)
    return Model(
        settings=settings,
        items=counts.items,
        popularity=popularity,
        theme_share=theme_share,
        sources=sources,
        weights=weights,
    )


def _likeness(counts: PairCounts, settings: ScoringSettings) -> Iterator[_Block]:
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
        yield products, named, np.take_along_axis(cosine, named, axis=1)


def _ease(counts: PairCounts, settings: ScoringSettings) -> Iterator[_Block]:
    """B = I - P / diag(P), P = (X'X + lambda I)^-1 (Steck 2019), the largest of each column."""
    having = counts.having()
    most = np.sort(np.argsort(-having, kind="stable")[:EASE_ITEMS_MAX])
    inverse = _inverse(counts, most, settings.ease_regularization)
    diagonal = np.diagonal(inverse).copy()
    for start, stop in _steps(len(most)):
        # Of the symmetric inverse only the lower half was computed.
        rows = inverse[start:stop].copy()
        rows[:, stop:] = inverse[stop:, start:stop].T
        square = inverse[start:stop, start:stop]
        rows[:, start:stop] = np.tril(square) + np.tril(square, -1).T
        weights = rows / -diagonal[start:stop, None]
        weights[np.arange(stop - start), np.arange(start, stop)] = 0
        named = np.sort(largest(np.abs(weights), settings.ease_weights_max), axis=1)
        yield most[start:stop], most[named], np.take_along_axis(weights, named, axis=1)


def _inverse(
    counts: PairCounts, most: NDArray[np.intp], regularization: float
) -> NDArray[np.float64]:
    """The lower half of the inverse, in place of the matrix: one matrix of 800 MB, not three."""
    matrix = np.empty((len(most), len(most)), order="F")
    for start, stop in _steps(len(counts.items.codes)):
        inside = np.flatnonzero((most >= start) & (most < stop))
        if len(inside):
            # Symmetric: columns are rows, and columns lie together in this order of memory.
            matrix[:, inside] = counts.rows(start, stop)[most[inside] - start][:, most].T
    matrix[np.diag_indices_from(matrix)] += regularization
    if not len(most):
        return matrix
    factor, failed = lapack.dpotrf(matrix, lower=True, clean=False, overwrite_a=True)
    assert not failed, "counts of pairs and something on the diagonal are positive definite"
    inverse, failed = lapack.dpotri(factor, lower=True, overwrite_c=True)
    assert not failed, "what is positive definite has an inverse"
    return np.asarray(inverse)


def _steps(size: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows of a square matrix, of so many places at most."""
    step = max(1, _PLACES_MAX // max(size, 1))
    return ((start, min(start + step, size)) for start in range(0, size, step))
