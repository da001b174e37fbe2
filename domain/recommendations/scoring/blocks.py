"""The signals of a block of members as matrices."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from domain.recommendations.scoring.interest import BROWSED, inferred
from domain.recommendations.scoring.model import Model
from domain.recommendations.scoring.taste import Taste


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Themes:
    """The themes of a model's products, numbered; the last number is of those without one."""

    numbers: Mapping[str, int]
    of_items: NDArray[np.int32]

    @classmethod
    def of(cls, model: Model) -> Themes:
        """The themes that the products of a model have."""
        codes = sorted({theme for theme in model.items.themes if theme is not None})
        numbers = {code: number for number, code in enumerate(codes)}
        of_items = [len(codes) if theme is None else numbers[theme] for theme in model.items.themes]
        return cls(numbers=numbers, of_items=np.array(of_items, dtype=np.int32))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Members by rows. `had` and `newest` have 1 for each product of the history, and of the
    newest order; `sizes` is n of each history, unknown products too.

    `counted` is k of each theme, `declared` whether the member chose it; `interest` is w, and 0 in
    the column of those without a theme.
    """

    tastes: Sequence[Taste]
    had: sparse.csr_array
    newest: sparse.csr_array
    sizes: NDArray[np.float64]
    counted: NDArray[np.float64]
    declared: NDArray[np.bool_]
    interest: NDArray[np.float64]


def block_of(tastes: Sequence[Taste], model: Model, themes: Themes) -> Block:
    """The matrices of some members."""
    numbers = model.items.numbers
    width = len(themes.numbers) + 1
    histories = [taste.history() for taste in tastes]
    had = matrix_of(histories, numbers)
    shape = (len(tastes), width)
    counted = np.zeros(shape)
    declared = np.zeros(shape, dtype=np.bool_)
    rows = np.repeat(np.arange(len(tastes)), np.diff(had.indptr))
    np.add.at(counted, (rows, themes.of_items[had.indices]), 1.0)
    for row, taste in enumerate(tastes):
        for theme, events in taste.browsed.items():
            if theme in themes.numbers:
                counted[row, themes.numbers[theme]] += BROWSED * events
        for theme in taste.declared:
            if theme in themes.numbers:
                declared[row, themes.numbers[theme]] = True
    # Nothing without a theme speaks for anything else without one.
    counted[:, -1] = 0
    newest = [
        history.intersection(taste.newest_order)
        for taste, history in zip(tastes, histories, strict=True)
    ]
    return Block(
        tastes=tastes,
        had=had,
        newest=matrix_of(newest, numbers),
        sizes=np.array([len(history) for history in histories], dtype=np.float64),
        counted=counted,
        declared=declared,
        interest=np.where(declared, 1.0, inferred(counted, model.settings)),
    )


def matrix_of(sets: Iterable[Collection[str]], numbers: Mapping[str, int]) -> sparse.csr_array:
    """A row of each set, with 1 for each of its members that has a number."""
    places, starts = array("i"), array("i", [0])
    for each in sets:
        places.extend(sorted(numbers[code] for code in each if code in numbers))
        starts.append(len(places))
    shape = (len(starts) - 1, len(numbers))
    return sparse.csr_array((np.ones(len(places)), _ints(places), _ints(starts)), shape=shape)


def _ints(numbers: Any) -> NDArray[np.int32]:
    return np.array(numbers, dtype=np.int32)
