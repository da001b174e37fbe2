"""Which products are compared where there are more than can be."""

from __future__ import annotations

from typing import Any

import numpy as np

from domain.recommendations.learning import count_pairs
from domain.recommendations.scoring import engine


async def test_more_products_than_are_compared_are_counted_twice() -> None:
    codes = [f"{number:05}" for number in range(engine.PAIRED_MAX + 1)]
    items = engine.Items.of(dict.fromkeys(codes))
    called = 0

    async def count(counts: Any) -> None:
        nonlocal called
        called += 1
        counts.add([{codes[-1], codes[-2], codes[0]}] * 3)

    counts = await count_pairs(items, count)
    assert (called, counts.members) == (2, 3)
    assert np.flatnonzero(counts.rows(0, 1)).tolist() == [0, len(codes) - 2, len(codes) - 1]
    counts = await count_pairs(engine.Items.of(dict.fromkeys(codes[1:])), count)
    assert (called, counts.members) == (3, 3)
