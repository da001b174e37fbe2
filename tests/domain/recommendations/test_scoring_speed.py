"""How long counting, training and listing take, and that memory does not go with the members."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np
import pytest

from domain.recommendations.scoring import (
    ListKind,
    Offer,
    ScoringSettings,
    Taste,
    counting,
    engine,
)
from tests.closing import ClosingReport


def histories(members: int, products: int, *, each: int) -> Iterator[list[set[str]]]:
    """Batches of members who bought so many times each, few products often and many seldom."""
    chance = np.random.default_rng(11)
    codes = [f"P{number:05}" for number in range(products)]
    weights = 1 / (np.arange(products) + 10.0)
    weights /= weights.sum()
    for start in range(0, members, 5_000):
        size = (min(5_000, members - start), each)
        bought = chance.choice(products, size=size, p=weights)
        yield [{codes[number] for number in row} for row in bought.tolist()]


def themes_of(products: int) -> dict[str, str | None]:
    return {f"P{number:05}": f"theme{number % 50}" for number in range(products)}


@pytest.mark.soak
def test_the_speed_of_counting_training_and_listing(
    full_form: bool, report: ClosingReport, tally: Callable[[str, int, int], None]
) -> None:
    members, products, each = (100_000, 10_000, 50) if full_form else (2_000, 600, 20)
    themes = themes_of(products)
    counts = engine.PairCounts(engine.Items.of(themes))
    took_s = 0.0
    some: list[set[str]] = []
    for batch in histories(members, products, each=each):
        some = some or batch[:1_000]
        begun = perf_counter()
        counts.add(batch)
        took_s += perf_counter() - begun
    begun = perf_counter()
    counts.having()
    took_s += perf_counter() - begun
    begun = perf_counter()
    model = engine.train_model(counts, ScoringSettings())
    trained_s = perf_counter() - begun
    scorer = engine.Scorer(model, Offer(active=set(themes), rewards=list(themes)[::100]))
    tastes = [
        Taste(bought=dict.fromkeys(history, 1), newest_order=set(list(history)[:5]))
        for history in some
    ]
    begun = perf_counter()
    listed = 0
    for start in range(0, len(tastes), 100):
        for lists in scorer.lists(tastes[start : start + 100]):
            listed += len(lists[ListKind.DISCOVER]) == model.settings.listed_max
    listed_s = (perf_counter() - begun) / len(tastes)
    assert listed == len(tastes)
    tally("members counted for a model", counts.members, members)
    report.notes.append(
        f"scoring {members:,} members, {products:,} products, {members * each:,} purchases: "
        f"counted in {took_s:.1f} s, trained in {trained_s:.1f} s, "
        f"lists {1_000 * listed_s:.2f} ms a member"
    )


def test_the_memory_of_counting_does_not_go_with_the_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four times the members, with all pairs there already: no more memory."""
    # Fewer wait, so that the fewer members too are more than wait.
    monkeypatch.setattr(counting, "_WAITING_MAX", 50_000)
    peaks = []
    for members in (5_000, 20_000):
        batches = histories(members, 600, each=40)
        counts = engine.PairCounts(engine.Items.of(themes_of(600)))
        tracemalloc.start()
        try:
            for batch in batches:
                counts.add(batch)
                del batch
            counts.having()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert counts.members == members
    assert peaks[1] < 1.3 * peaks[0], peaks
