"""The largest and the first of each row of a matrix, ties decided."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def largest(matrix: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """The columns of the `count` largest values of each row, largest first, equal ones by column.

    With fewer columns, all of them. There is no NaN in it.
    """
    rows, columns = matrix.shape
    if columns > count:
        least = np.partition(matrix, columns - count, axis=1)[:, columns - count, None]
        taken = matrix >= least
        crowded = np.flatnonzero(np.count_nonzero(taken, axis=1) > count)
        if len(crowded):
            # Of those that are level with the last that gets in, the first ones by column do.
            above = matrix[crowded] > least[crowded]
            level = matrix[crowded] == least[crowded]
            room = count - np.count_nonzero(above, axis=1)
            taken[crowded] = above | first_of(level, room[:, None])
        found = np.nonzero(taken)[1].reshape(rows, count)
    else:
        found = np.broadcast_to(np.arange(columns), (rows, columns))
    order = np.argsort(-np.take_along_axis(matrix, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def first_of(marked: NDArray[np.bool_], count: int | NDArray[np.intp]) -> NDArray[np.bool_]:
    """The first `count` marks of each row alone."""
    return marked & (np.cumsum(marked, axis=1, dtype=np.int32) <= count)
