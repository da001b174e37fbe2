"""The definitions find the bugs that scoring could have, each by its name.

The bugs are planted from outside; the product has no switch for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given
from hypothesis import settings as effort

from domain.recommendations.scoring import (
    blocks,
    counting,
    interest,
    lists,
    ranking,
    reasons,
    training,
)
from tests.domain.recommendations.shops import Shop, check_counts, check_lists, shops

Plant = Callable[[pytest.MonkeyPatch], None]


def patched(owner: Any, name: str, make: Callable[[Any], Any]) -> Plant:
    """Put in the place of what is there what is made of it."""
    return lambda patch: patch.setattr(owner, name, make(getattr(owner, name)))


def with_block(change: Callable[[blocks.Block, Any], blocks.Block]) -> Plant:
    def make(block_of: Any) -> Any:
        return lambda tastes, model, themes: change(block_of(tastes, model, themes), model)

    return patched(lists, "block_of", make)


PLANTED: dict[str, Plant] = {
    "an inferred interest stays as large without the product": patched(
        reasons,
        "inferred",
        lambda inferred: lambda counted, settings: inferred(counted + 1, settings),
    ),
    "themes and popularity stay as faded without the product": patched(
        reasons.Reasoning,
        "_amounts",
        lambda amounts: (
            lambda self, pairs: replace(
                amounts(self, pairs),
                same=np.zeros(len(pairs.rows)),
                other=np.zeros(len(pairs.rows)),
            )
        ),
    ),
    "products of the theme without a weight are not cited": patched(
        reasons.Reasoning, "_silent", lambda _: lambda *_, **__: []
    ),
    "of each theme only the first is looked at": patched(
        reasons, "first_of", lambda first_of: lambda marked, _: first_of(marked, 1)
    ),
    "contributions are rounded to what members read": lambda patch: patch.setattr(
        reasons, "DECIMALS", 6
    ),
    "what the member has is discovered again": patched(
        lists.Scorer,
        "_best",
        lambda best: (
            lambda self, scores, hidden, among: best(self, scores, np.zeros_like(hidden), among)
        ),
    ),
    "levels and what does not interest hide nothing": patched(
        lists.Scorer, "_hidden", lambda hidden: lambda self, block: hidden(self, block) & False
    ),
    "products speak for what should speak for them": patched(
        lists, "_speaking", lambda speaking: lambda model: speaking(model).T.tocsr()
    ),
    "the whole history speaks after a purchase": with_block(
        lambda block, _: replace(block, newest=block.had)
    ),
    "what is inferred beats what is declared": with_block(
        lambda block, model: replace(
            block, interest=interest.inferred(block.counted, model.settings)
        )
    ),
    "the shortest histories fade as the longest": with_block(
        lambda block, _: replace(block, sizes=np.full_like(block.sizes, block.sizes.max()))
    ),
    "equal scores stand as they fall": patched(
        ranking,
        "first_of",
        lambda first_of: lambda marked, count: first_of(marked[:, ::-1], count)[:, ::-1],
    ),
    "what nobody has is not of its theme": patched(
        training,
        "shares",
        lambda shares: lambda having, items: shares(np.maximum(having - 1, -1), items),
    ),
    "removed members are counted": patched(
        counting.PairCounts, "remove", lambda _: lambda self, histories: None
    ),
    "members that wait are forgotten": patched(
        counting.PairCounts, "having", lambda _: lambda self: self._having.copy()
    ),
    "dense tiles take one of what falls on them": patched(
        counting, "_sum", lambda _: lambda standing, part: part
    ),
}


@given(shops())
@effort(
    max_examples=1_000,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
)
def search(shop: Shop) -> None:
    check_lists(shop)
    check_counts(shop)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[name](monkeypatch)
    with pytest.raises(AssertionError):
        search()
