"""Training at the size that it is made for: how long each stage takes, and how much memory.

The purchases are made up: few products are bought often and many seldom, by Zipf's law. The command
`recommendations train` runs in a process of its own, as a worker's job does.
"""

from __future__ import annotations

import os
from typing import Final

from benchmarks.postgres import serving
from benchmarks.printing import console
from benchmarks.training.measuring import Training, measure
from benchmarks.training.rows import Sizes, load
from benchmarks.training.telling import print_trainings
from domain.recommendations import Method

METHODS: Final = (Method.ITEM_ITEM, Method.EASE)
SIZES: Final = Sizes(members=100_000, products=10_000, lines=5_000_000)
_SMALLER: Final = "TRAINING_SIZES"
"""Other sizes, as members, products and purchase lines with commas between them."""


async def run() -> None:
    """Print all of it: about twenty minutes, of which the filling takes five."""
    named = os.environ.get(_SMALLER)
    sizes = SIZES if named is None else Sizes.read(named)
    with serving() as server, server.databases.fresh() as url:
        console.print(f"PostgreSQL {server.version}")
        found = await measured(url, sizes)
    print_trainings(sizes, found)


async def measured(url: str, sizes: Sizes) -> list[Training]:
    """Fill an empty database, and train by each method in turn."""
    filled_s = await load(url, sizes)
    console.print(f"filled in {filled_s:.0f} s")
    return [await measure(url, method) for method in METHODS]
