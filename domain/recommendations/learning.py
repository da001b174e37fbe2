"""Training a model from counts in a thread, for as long as somebody waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from domain.recommendations.scoring import ScoringSettings

if TYPE_CHECKING:
    from domain.recommendations.scoring.engine import Items, Model, PairCounts


class _Abandoned(Exception):
    """Raised in the thread when nobody waits for it any more."""


async def count_pairs(items: Items, count: Callable[[PairCounts], Awaitable[None]]) -> PairCounts:
    """The counts that `count` made of everybody.

    Of more than `PAIRED_MAX` products, those that most have are compared, and `count` is called
    twice: first to find these. The others have popularity and themes, but no neighbours.
    """
    from domain.recommendations.scoring import engine

    counts = engine.PairCounts(items, paired=() if len(items.codes) > engine.PAIRED_MAX else None)
    await count(counts)
    if len(items.codes) > engine.PAIRED_MAX:
        counts = engine.PairCounts(items, paired=counts.most_had(engine.PAIRED_MAX))
        await count(counts)
    return counts


async def learn(
    counts: PairCounts,
    settings: ScoringSettings,
    *,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Model:
    """The model of the counts; `told` hears how many products of how many are done.

    Whoever is cancelled meanwhile leaves a thread that ends within some seconds: a process that is
    told to stop waits for its threads.
    """
    from domain.recommendations.scoring import engine

    loop = asyncio.get_running_loop()
    abandoned = threading.Event()

    def progress(done: int, total: int) -> None:
        if abandoned.is_set():
            raise _Abandoned
        loop.call_soon_threadsafe(told, done, total)

    try:
        return await asyncio.to_thread(engine.train_model, counts, settings, on_progress=progress)
    finally:
        abandoned.set()
