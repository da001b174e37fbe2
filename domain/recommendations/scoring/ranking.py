"""The largest of each row of a matrix, ties decided."""

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
        above = matrix > least
        level = matrix == least
        # Of those that are level with the last that gets in, the first ones by column do.
        room = count - np.count_nonzero(above, axis=1)[:, None]
        taken = above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= room))
        found = np.nonzero(taken)[1].reshape(rows, count)
    else:
        found = np.broadcast_to(np.arange(columns), (rows, columns))
    order = np.argsort(-np.take_along_axis(matrix, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)
