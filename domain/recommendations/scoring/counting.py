"""How many members have two products together, counted batch by batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from domain.recommendations.scoring.items import Items


class PairCounts:
    """Of each pair of products, how many members have both; of each product, how many have it.

    Memory goes with the pairs that there are, and with the square of the products at most (4 bytes
    for each pair): never with the members.
    """

    def __init__(self, items: Items) -> None:
        self.items = items
        self.members = 0
        """How many histories with anything in them are counted."""

    def add(self, histories: Iterable[Collection[str]]) -> None:
        """Count members, each with the distinct products that it has. Unknown ones do not count.

        The order and the size of batches make no difference.
        """
        raise NotImplementedError

    def remove(self, histories: Iterable[Collection[str]]) -> None:
        """Take back members that were counted, with the products that they were counted with.

        Whoever's history changed is removed with the old one, and added with the new one.
        """
        raise NotImplementedError

    def having(self) -> NDArray[np.int64]:
        """Of each product, in the order of `items`, how many members have it."""
        raise NotImplementedError

    def rows(self, start: int, stop: int) -> NDArray[np.int32]:
        """The counts of the products `start` to `stop` with all products; their own included."""
        raise NotImplementedError
