"""Small shops made up at random: products, members, and what is asked of lists of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from domain.recommendations.scoring import (
    ListKind,
    Method,
    Offer,
    ReasonKind,
    Rows,
    ScoringSettings,
    Taste,
    engine,
    listed_of,
)
from tests.domain.recommendations.reference import (
    EXACT,
    Reference,
    candidates,
    learn,
    lost_without,
    reasons_of,
    score_of,
)

CODES = [f"P{number:02}" for number in range(12)]
STRANGERS = ["older", "unheard-of"]
"""Products that no model knows."""

THEMES = ["bath", "kitchen", "tea"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Members who have something, products with their themes, and who asks for lists of what."""

    settings: ScoringSettings
    themes: Mapping[str, str | None]
    histories: Sequence[Collection[str]]
    offer: Offer
    tastes: Sequence[Taste]


@st.composite
def settings(draw: st.DrawFn) -> ScoringSettings:
    weight = st.floats(0, 1).map(lambda value: round(value, 3))
    positive = st.floats(0.5, 20).map(lambda value: round(value, 3))
    return ScoringSettings(
        method=draw(st.sampled_from(Method)),
        neighbors_max=draw(st.integers(1, 12)),
        shrinkage=draw(st.sampled_from([0.0, 1.5])),
        ease_regularization=draw(positive),
        again_popularity=draw(weight),
        discover_popularity=draw(weight),
        theme_weight=draw(weight),
        fade=draw(positive),
        inferred_half=draw(positive),
        inferred_weight=draw(weight),
        listed_max=draw(st.integers(1, 12)),
        reasons_max=draw(st.integers(1, 6)),
    )


@st.composite
def tastes(draw: st.DrawFn) -> Taste:
    some = st.sets(st.sampled_from(CODES + STRANGERS), max_size=5)
    bought = draw(st.dictionaries(st.sampled_from(CODES + STRANGERS), st.integers(1, 4)))
    newest = draw(st.sets(st.sampled_from(sorted(bought)))) if bought else set()
    return Taste(
        bought=bought,
        redeemed=draw(some),
        newest_order=newest,
        declared=draw(st.sets(st.sampled_from([*THEMES, "gone"]), max_size=2)),
        browsed=draw(st.dictionaries(st.sampled_from([*THEMES, "gone"]), st.integers(1, 9))),
        not_interested=draw(st.sets(st.sampled_from(CODES + STRANGERS), max_size=2)),
        level_rank=draw(st.integers(0, 2)),
    )


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    codes = draw(st.lists(st.sampled_from(CODES), unique=True, min_size=1))
    any_of = st.sets(st.sampled_from(CODES + STRANGERS))
    theme = st.sampled_from([None, *THEMES])
    return Shop(
        settings=draw(settings()),
        themes={code: draw(theme) for code in codes},
        histories=draw(st.lists(st.sets(st.sampled_from(CODES + STRANGERS)), max_size=12)),
        offer=Offer(
            active=set(CODES) - draw(st.sets(st.sampled_from(CODES), max_size=2)),
            level_ranks=draw(st.dictionaries(st.sampled_from(CODES), st.integers(1, 2))),
            rewards=draw(any_of),
            introduced=draw(any_of),
        ),
        tastes=draw(st.lists(tastes(), min_size=1, max_size=4)),
    )


def trained(shop: Shop) -> engine.Model:
    counts = engine.PairCounts(engine.Items.of(shop.themes))
    counts.add(shop.histories)
    return engine.train_model(counts, shop.settings)


def check_lists(shop: Shop) -> None:
    """The lists of all members hold what the definitions say, with the reasons that they say."""
    model = learn(shop.histories, shop.themes, shop.settings)
    lists = engine.Scorer(trained(shop), shop.offer).lists(shop.tastes)
    assert len(lists) == len(shop.tastes)
    for taste, found in zip(shop.tastes, lists, strict=True):
        assert set(found) == set(ListKind)
        for kind, rows in found.items():
            check_list(model, taste, candidates(model, taste, shop.offer, kind), kind, rows)


def check_counts(shop: Shop) -> None:
    """Batches, added and removed, count as all of those that stay do at once."""
    items = engine.Items.of(shop.themes)
    at_once, by_batches = engine.PairCounts(items), engine.PairCounts(items)
    gone = [*shop.histories[::2], CODES[:3], CODES]
    at_once.add(shop.histories)
    by_batches.add(gone[:1])
    for history in shop.histories:
        by_batches.add([history])
        by_batches.rows(0, len(items.codes))
    by_batches.remove(gone[:1])
    by_batches.add(gone[1:])
    by_batches.rows(0, len(items.codes))
    by_batches.remove(gone[1:])
    together = at_once.rows(0, len(items.codes))
    for row, code in enumerate(items.codes):
        for column, other in enumerate(items.codes):
            both = sum(code in history and other in history for history in shop.histories)
            assert together[row, column] == both
        assert np.array_equal(by_batches.rows(row, row + 1), together[[row]])
    assert by_batches.members == at_once.members
    assert np.array_equal(at_once.having(), np.diagonal(together))
    assert np.array_equal(by_batches.having(), np.diagonal(together))


def check_list(
    model: Reference, taste: Taste, among: Collection[str], kind: ListKind, rows: Rows
) -> None:
    listed = listed_of(rows)
    codes = [each.product_code for each in listed]
    assert len(codes) == len(set(codes)) == min(model.settings.listed_max, len(among))
    assert set(codes) <= set(among)
    assert [(-each.score, each.product_code) for each in listed] == sorted(
        (-each.score, each.product_code) for each in listed
    )
    for each in listed:
        assert abs(each.score - score_of(model, taste, each.product_code, kind)) < EXACT
        check_reasons(model, taste, each.product_code, kind, rows)
    for left_out in set(among) - set(codes):
        assert score_of(model, taste, left_out, kind) < listed[-1].score + EXACT


def check_reasons(model: Reference, taste: Taste, code: str, kind: ListKind, rows: Rows) -> None:
    (listed,) = [each for each in listed_of(rows) if each.product_code == code]
    expected = reasons_of(model, taste, code, kind)
    sizes = [reason.contribution for reason in listed.reasons]
    assert sizes == sorted(sizes, reverse=True)
    assert all(size > 0 for size in sizes)
    assert len({(reason.kind, reason.code) for reason in listed.reasons}) == len(sizes)
    for reason in listed.reasons:
        assert abs(reason.contribution - lost_without(model, taste, code, kind, reason)) < EXACT
    # Not one that is larger was passed over.
    clear = [reason.contribution for reason in expected if reason.contribution > EXACT]
    assert len(sizes) >= min(model.settings.reasons_max, len(clear))
    assert len(sizes) <= model.settings.reasons_max
    for size, largest in zip(sizes, clear, strict=False):
        assert abs(size - largest) < EXACT
    for reason in listed.reasons:
        assert (reason.code is None) == (reason.kind is ReasonKind.POPULARITY)
