"""How many members have two products together, counted batch by batch.

Only the upper half is kept, in square tiles: a tile that few pairs fall into is sparse, and becomes
dense where that takes less. Members wait until there are enough for a multiplication to pay.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from domain.recommendations.scoring.items import Items

PAIRED_MAX: Final = 20_000
"""So many products are compared with each other at most: 800 MB, when everybody has everything."""

_TILE_MIN: Final = 512
_TILES_MAX: Final = 40
"""So many tiles stand in a row, at most."""

_WAITING_MAX: Final = 500_000
"""When so many products of members wait, they are multiplied."""

_DENSE_FROM: Final = 3
"""A tile of which one place in so many is taken is kept dense: 4 bytes a place against 8 a pair."""

_Tile: TypeAlias = NDArray[np.int32] | sparse.csc_array


class PairCounts:
    """Of each pair of products, how many members have both; of each product, how many have it.

    Memory goes with the pairs that there are, and with the square of the paired products at most
    (4 bytes for each pair): never with the members.
    """

    def __init__(self, items: Items, *, paired: Collection[str] | None = None) -> None:
        """`paired` are the products of which pairs are counted: all of them, where it is None.

        ValueError where these are more than `PAIRED_MAX`.
        """
        self.items = items
        numbers = sorted(
            items.numbers[code] for code in (items.codes if paired is None else paired)
        )
        if len(numbers) > PAIRED_MAX:
            raise ValueError(f"{len(numbers)} products are too many to compare each with each")
        self._paired = np.array(numbers, dtype=np.int32)
        self._places = np.full(len(items.codes), -1, dtype=np.int32)
        self._places[self._paired] = np.arange(len(numbers), dtype=np.int32)
        self.members = 0
        """How many histories with anything in them are counted."""
        self._size = len(numbers)
        self._width = max(_TILE_MIN, -(-self._size // _TILES_MAX))
        self._tiles: dict[tuple[int, int], _Tile] = {}
        self._having = np.zeros(len(items.codes), dtype=np.int64)
        self._waiting = array("i")
        self._lengths = array("i")
        self._signs = array("i")

    def add(self, histories: Iterable[Collection[str]]) -> None:
        """Count members, each with the distinct products that it has. Unknown ones do not count.

        The order and the size of batches make no difference.
        """
        self._take(histories, sign=1)

    def remove(self, histories: Iterable[Collection[str]]) -> None:
        """Take back members that were counted, with the products that they were counted with.

        Whoever's history changed is removed with the old one, and added with the new one.
        """
        self._take(histories, sign=-1)

    def having(self) -> NDArray[np.int64]:
        """Of each product, in the order of `items`, how many members have it."""
        self._multiply()
        return self._having.copy()

    def most_had(self, count: int) -> list[str]:
        """The products that most members have, so many of them; of equal ones the first."""
        most = np.argsort(-self.having(), kind="stable")[:count]
        return [self.items.codes[number] for number in most.tolist()]

    def rows(self, start: int, stop: int) -> NDArray[np.int32]:
        """The counts of the products `start` to `stop` with all products; their own included.

        0 with what is not paired, and of it.
        """
        self._multiply()
        first, last = np.searchsorted(self._paired, (start, stop)).tolist()
        together = self._together(first, last)
        if self._size == len(self.items.codes):
            return together
        found = np.zeros((stop - start, len(self.items.codes)), dtype=np.int32)
        found[np.ix_(self._paired[first:last] - start, self._paired)] = together
        return found

    def _together(self, start: int, stop: int) -> NDArray[np.int32]:
        """The counts of so many of the paired products with all of these."""
        found = np.zeros((stop - start, self._size), dtype=np.int32)
        for own in range(start // self._width, -(-stop // self._width)):
            first = max(start, own * self._width)
            last = min(stop, (own + 1) * self._width)
            inside = slice(first - own * self._width, last - own * self._width)
            for other in range(-(-self._size // self._width)):
                tile = self._tiles.get((min(own, other), max(own, other)))
                if tile is not None:
                    part = tile[inside] if own <= other else tile[:, inside].T
                    left = other * self._width
                    found[first - start : last - start, left : left + part.shape[1]] = _dense(part)
        return found

    def _take(self, histories: Iterable[Collection[str]], *, sign: int) -> None:
        numbers = self.items.numbers
        for history in histories:
            known = sorted({numbers[code] for code in history if code in numbers})
            if known:
                self.members += sign
                self._waiting.extend(known)
                self._lengths.append(len(known))
                self._signs.append(sign)
                if len(self._waiting) >= _WAITING_MAX:
                    self._multiply()

    def _multiply(self) -> None:
        """Count whoever waits."""
        if not self._lengths:
            return
        lengths = np.array(self._lengths, dtype=np.int32)
        places = np.array(self._waiting, dtype=np.int32)
        starts = np.concatenate((np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)))
        signs = np.repeat(np.array(self._signs, dtype=np.int32), lengths)
        self._waiting, self._lengths, self._signs = array("i"), array("i"), array("i")
        size = len(self.items.codes)
        self._having += np.bincount(places, weights=signs, minlength=size).astype(np.int64)
        places = self._places[places]
        kept = places >= 0
        starts = np.concatenate((np.zeros(1, np.int32), np.cumsum(kept, dtype=np.int32)))[starts]
        places, signs = places[kept], signs[kept]
        shape = (len(lengths), self._size)
        has = sparse.csr_array((np.ones_like(places), places, starts), shape=shape)
        # The sign stands on one side of the product alone: on both, it would be gone.
        signed = sparse.csr_array((signs, places, starts), shape=shape).tocsc()
        for row in range(-(-self._size // self._width)):
            left = row * self._width
            stripe = (signed[:, left : left + self._width].T @ has[:, left:]).tocsc()
            if stripe.nnz:
                self._add_stripe(row, stripe)

    def _add_stripe(self, row: int, stripe: sparse.csc_array) -> None:
        for column in range(row, -(-self._size // self._width)):
            left = (column - row) * self._width
            part = stripe[:, left : left + self._width]
            if part.nnz:
                standing = self._tiles.get((row, column))
                self._tiles[row, column] = part if standing is None else _sum(standing, part)


def _sum(standing: _Tile, part: sparse.csc_array) -> _Tile:
    if not isinstance(standing, np.ndarray):
        both = standing + part
        both.eliminate_zeros()
        crowded = both.nnz * _DENSE_FROM > both.shape[0] * both.shape[1]
        return both.toarray() if crowded else both
    # Each place stands once in a product of matrices, so that this adds all of them.
    placed = part.tocoo()
    standing[placed.row, placed.col] += placed.data
    return standing


def _dense(part: _Tile) -> NDArray[np.int32]:
    return part if isinstance(part, np.ndarray) else part.toarray()
