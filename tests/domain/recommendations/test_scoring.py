"""Lists hold what the definitions say, and their reasons are what scores lose without them."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import settings as effort

from domain.recommendations.lists import inferred_themes
from domain.recommendations.scoring import (
    ItemFacts,
    Listed,
    ListKind,
    Method,
    Offer,
    Reason,
    ReasonKind,
    ScoringSettings,
    Taste,
    engine,
    explain,
    listed_of,
    rows_of,
)
from tests.domain.recommendations.reference import EXACT, without
from tests.domain.recommendations.shops import (
    Shop,
    check_counts,
    check_lists,
    shops,
    trained,
)


@given(shops())
@effort(max_examples=50, deadline=None)
def test_lists_and_reasons_are_those_of_the_definitions(shop: Shop) -> None:
    check_lists(shop)


@given(shops())
@effort(max_examples=25, deadline=None)
def test_a_stored_model_lists_exactly_what_the_trained_one_does(shop: Shop) -> None:
    model = trained(shop)
    rows = list(model.rows())
    told = orjson.loads(orjson.dumps([[*row.neighbors] for row in rows]))
    random.Random(7).shuffle(rows)
    stored = [
        replace(
            row, neighbors=[tuple(pair) for pair in told[model.items.numbers[row.product_code]]]
        )
        for row in rows
    ]
    settings = ScoringSettings.from_facts(orjson.loads(orjson.dumps(shop.settings.as_facts())))
    again = engine.Model.from_rows(settings, stored)
    first, second = (engine.Scorer(each, shop.offer) for each in (model, again))
    assert first.lists(shop.tastes) == second.lists(shop.tastes)


@given(shops())
@effort(max_examples=25, deadline=None)
def test_a_members_lists_are_the_same_alone_and_among_others(shop: Shop) -> None:
    scorer = engine.Scorer(trained(shop), shop.offer)
    assert scorer.lists(shop.tastes) == [scorer.lists([taste])[0] for taste in shop.tastes]


@given(shops())
@effort(max_examples=30, deadline=None)
def test_one_row_of_the_model_explains_what_is_listed(shop: Shop) -> None:
    model = trained(shop)
    facts = {row.product_code: row for row in model.rows()}
    for taste, lists in zip(
        shop.tastes, engine.Scorer(model, shop.offer).lists(shop.tastes), strict=True
    ):
        for kind, rows in lists.items():
            for listed in listed_of(rows):
                item = facts[listed.product_code]
                why = explain(shop.settings, taste, item, kind=kind, themes=shop.themes)
                assert abs(why.score - listed.score) < EXACT
                sizes = [reason.contribution for reason in why.reasons]
                assert sizes == pytest.approx(
                    [reason.contribution for reason in listed.reasons], abs=EXACT
                )


@given(shops())
@effort(max_examples=25, deadline=None)
def test_batches_that_are_added_and_removed_count_as_counted_at_once(shop: Shop) -> None:
    check_counts(shop)


@pytest.mark.parametrize("products", [700, 1300])
def test_counts_across_tiles_are_those_of_one_multiplication(products: int) -> None:
    """Tiles of 512 products: sparse ones, dense ones, and the last, which is narrower."""
    chance = np.random.default_rng(products)
    taken = chance.random((400, products)) < np.where(np.arange(products) < 600, 0.2, 0.002)
    codes = [f"{number:05}" for number in range(products)]
    counts = engine.PairCounts(engine.Items.of(dict.fromkeys(codes)))
    histories = [{codes[number] for number in np.flatnonzero(row)} for row in taken]
    counts.add(histories[:300])
    counts.having()
    counts.add(histories[300:])
    counts.having()
    counts.remove(histories[:50])
    expected = taken[50:].astype(np.int32)
    together = expected.T @ expected
    assert np.array_equal(counts.rows(0, products), together)
    assert np.array_equal(counts.rows(300, 650), together[300:650])
    assert np.array_equal(counts.having(), np.diagonal(together))
    assert counts.members == 350


def test_of_too_many_products_those_that_most_have_are_compared() -> None:
    """As if the others were in no history, but for how many have each."""
    taken = np.random.default_rng(6).random((300, 900)) < np.linspace(0.3, 0.01, 900)
    codes = [f"{number:05}" for number in range(900)]
    histories = [{codes[number] for number in np.flatnonzero(row)} for row in taken]
    items = engine.Items.of(dict.fromkeys(codes))
    having = engine.PairCounts(items, paired=())
    having.add(histories)
    paired = having.most_had(100)
    few, alone = engine.PairCounts(items, paired=paired), engine.PairCounts(items)
    few.add(histories)
    few.remove(histories[:20])
    alone.add([history & set(paired) for history in histories[20:]])
    assert np.array_equal(few.rows(0, 900), alone.rows(0, 900))
    assert np.array_equal(few.rows(3, 450), alone.rows(3, 450))
    assert np.array_equal(few.having(), taken[20:].sum(axis=0))
    assert (few.members, having.members) == (280, 300)
    assert not having.rows(0, 900).any()
    assert [codes[n] for n in np.argsort(-taken.sum(axis=0), kind="stable")[:100]] == paired
    assert {
        row.product_code
        for row in engine.train_model(few, ScoringSettings()).rows()
        if row.neighbors
    } == set(paired)
    too_many = engine.Items.of(dict.fromkeys(map(str, range(engine.PAIRED_MAX + 1))))
    with pytest.raises(ValueError, match="too many"):
        engine.PairCounts(too_many)


def test_a_theme_is_inferred_as_it_is_scored() -> None:
    """What is kept of a member, what lists go by and what explains them are one formula."""
    themes = {"a": "x", "b": "x", "c": "x"}
    settings = ScoringSettings(theme_weight=1.0, inferred_half=3.0, inferred_weight=0.75)
    taste = Taste(bought={"a": 1}, redeemed={"b"}, browsed={"x": 6})
    counts = engine.PairCounts(engine.Items.of(themes))
    model = engine.train_model(counts, settings)
    (lists,) = engine.Scorer(model, Offer(active={"c"})).lists([taste])
    [listed] = listed_of(lists[ListKind.DISCOVER])
    kept = inferred_themes(taste, settings=settings, themes=themes)
    assert kept == {"x": round(1_000 * 0.75 * 3.5 / 6.5)}
    [interest] = [one.contribution for one in listed.reasons if one.kind is ReasonKind.INTEREST]
    assert interest == pytest.approx(5 / 7 * 0.75 * 3.5 / 6.5, abs=EXACT)
    facts = {row.product_code: row for row in model.rows()}
    explained = explain(settings, taste, facts["c"], kind=ListKind.DISCOVER, themes=themes)
    assert explained == listed


def invented(
    products: int, members: int, *, seed: int
) -> tuple[dict[str, str | None], list[Taste]]:
    """Members with a few favourite themes, and products of which some are in every basket."""
    chance = random.Random(seed)
    themes: dict[str, str | None] = {
        f"P{number:04}": chance.choice([None, "a", "b", "c", "d", "e"])
        for number in range(products)
    }
    codes = list(themes)
    weights = [1 / (number + 3) for number in range(products)]
    tastes = []
    for _ in range(members):
        bought = dict.fromkeys(chance.choices(codes, weights, k=chance.randint(0, 15)), 1)
        orders = {code: chance.randint(1, 5) for code in bought}
        tastes.append(
            Taste(
                bought=orders,
                redeemed=set(chance.choices(codes, weights, k=chance.randint(0, 2))),
                newest_order=set(list(orders)[:3]),
                declared=set(chance.sample("abcde", chance.randint(0, 2))),
                browsed={chance.choice("abcde"): chance.randint(1, 8)},
            )
        )
    return themes, tastes


@pytest.mark.parametrize("method", Method)
def test_without_what_is_cited_a_score_is_less_by_exactly_its_contribution(
    method: Method, tally: Any
) -> None:
    """1,000 recommendations at random: the product itself reckons the lists anew without it."""
    themes, tastes = invented(300, 400, seed=9)
    settings = ScoringSettings(method=method, ease_regularization=20.0)
    counts = engine.PairCounts(engine.Items.of(themes))
    counts.add(taste.history() for taste in tastes)
    model = engine.train_model(counts, settings)
    offer = Offer(active=set(themes), rewards=list(themes)[::3], introduced=list(themes)[::7])
    chance = random.Random(1_000)
    cited = [
        (taste, kind, listed, reason)
        for taste, lists in zip(tastes, engine.Scorer(model, offer).lists(tastes), strict=True)
        for kind, rows in lists.items()
        for listed in listed_of(rows)
        for reason in listed.reasons
        if reason.kind is ReasonKind.BOUGHT
    ]
    facts = {row.product_code: row for row in model.rows()}
    # All products are listed, so that none falls out of sight; the trained model is the same.
    wide = engine.Scorer(replace(model, settings=replace(settings, listed_max=300)), offer)
    checked = 0
    for taste, kind, listed, reason in chance.sample(cited, 1_000):
        assert reason.code is not None
        fewer = without(taste, reason.code)
        (lists,) = wide.lists([fewer])
        scores = {each.product_code: each.score for each in listed_of(lists[kind])}
        if listed.product_code == reason.code and kind is ListKind.BUY_AGAIN:
            assert listed.product_code not in scores
            item = facts[listed.product_code]
            after = explain(settings, fewer, item, kind=kind, themes=themes).score
        elif kind is ListKind.AFTER_PURCHASE and not fewer.newest_order:
            item = facts[listed.product_code]
            after = explain(settings, fewer, item, kind=kind, themes=themes).score
        else:
            after = scores[listed.product_code]
        assert abs(listed.score - after - reason.contribution) < EXACT
        checked += 1
    tally(f"contributions taken out and reckoned anew ({method.value})", checked, 1_000)


def test_ease_keeps_the_largest_weights_of_each_product_for_or_against() -> None:
    themes, tastes = invented(80, 200, seed=2)
    counts = engine.PairCounts(engine.Items.of(themes))
    counts.add(taste.history() for taste in tastes)
    whole, pruned = (
        engine.train_model(
            counts,
            ScoringSettings(method=Method.EASE, ease_regularization=10.0, ease_weights_max=most),
        )
        for most in (200, 7)
    )
    for all_of, some in zip(whole.rows(), pruned.rows(), strict=True):
        largest = sorted(all_of.neighbors, key=lambda pair: -abs(pair[1]))[:7]
        assert sorted(largest) == sorted(some.neighbors)
        assert [weight for _, weight in some.neighbors] == sorted(
            (weight for _, weight in some.neighbors), reverse=True
        )
    assert any(weight < 0 for row in pruned.rows() for _, weight in row.neighbors)


def test_ease_of_many_blocks_is_the_inverse_of_one() -> None:
    """1,100 products are three blocks; LAPACK inverts them at once."""
    chance = np.random.default_rng(3)
    taken = chance.random((300, 1_100)) < 0.02
    codes = [f"{number:04}" for number in range(1_100)]
    counts = engine.PairCounts(engine.Items.of(dict.fromkeys(codes)))
    counts.add({codes[number] for number in np.flatnonzero(row)} for row in taken)
    settings = ScoringSettings(method=Method.EASE, ease_regularization=3.0, ease_weights_max=1_100)
    told: list[tuple[int, int]] = []
    model = engine.train_model(counts, settings, on_progress=lambda *step: told.append(step))
    together = taken.T.astype(np.float64) @ taken
    inverse = np.linalg.inv(together + 3.0 * np.eye(1_100))
    expected = np.round(-inverse / np.diagonal(inverse)[None, :], 8)
    np.fill_diagonal(expected, 0)
    found = np.zeros((1_101, 1_100))
    found[model.sources, np.arange(1_100)[:, None]] = model.weights
    assert np.abs(found[:-1] - expected).max() < 2e-8
    assert told == sorted(told)
    assert {total for _, total in told} == {2_200}
    assert told[-1] == (2_200, 2_200)


def test_products_that_came_after_the_training_can_be_listed() -> None:
    histories = [{"b", "d"}, {"b", "d"}, {"d"}]
    counts = engine.PairCounts(engine.Items.of({"b": "x", "d": "x"}))
    counts.add(histories)
    model = engine.train_model(counts, ScoringSettings())
    grown = model.with_products({"a": "x", "b": "other", "c": "y", "e": None})
    assert grown.items.codes == ["a", "b", "c", "d", "e"]
    assert grown.items.themes == ["x", "x", "y", "x", None]
    assert {row.product_code: row for row in grown.rows()} == {
        # As popular as the least popular of all, and of the theme.
        "a": ItemFacts(
            product_code="a", popularity=0.75, theme_code="x", theme_share=0.75, neighbors=[]
        ),
        "c": ItemFacts(
            product_code="c", popularity=0.75, theme_code="y", theme_share=1.0, neighbors=[]
        ),
        "e": ItemFacts(
            product_code="e", popularity=0.75, theme_code=None, theme_share=0.0, neighbors=[]
        ),
        **{row.product_code: row for row in model.rows()},
    }
    assert model.with_products({"b": "other"}) is model
    offer = Offer(active="abcde", introduced="a")
    (lists,) = engine.Scorer(grown, offer).lists([Taste(bought={"b": 1}, declared={"x"})])
    assert [row[0] for row in lists[ListKind.LETTERS]] == ["a"]
    assert [row[0] for row in lists[ListKind.DISCOVER]] == ["d", "a", "c", "e"]


def test_a_shop_without_products_or_members_has_empty_lists() -> None:
    model = engine.train_model(engine.PairCounts(engine.Items.of({})), ScoringSettings())
    empty: dict[ListKind, list[object]] = {kind: [] for kind in ListKind}
    scorer = engine.Scorer(model, Offer(active={"x"}))
    assert scorer.lists([]) == []
    assert scorer.lists([Taste(), Taste(bought={"x": 2})]) == [empty, empty]
    ease = ScoringSettings(method=Method.EASE)
    assert list(engine.train_model(engine.PairCounts(engine.Items.of({})), ease).rows()) == []
    assert list(model.items.codes) == []


def test_themes_that_a_member_chose_come_first_and_yield_to_the_history() -> None:
    """A member with nothing but a theme gets it first where it is half as popular, told so."""
    themes = {f"{theme}{number}": theme for theme in "ab" for number in range(4)}
    counts = engine.PairCounts(engine.Items.of(themes))
    for number in range(4):
        counts.add([{f"a{number}"}] * (100 - number) + [{f"b{number}"}] * (60 - number))
    scorer = engine.Scorer(engine.train_model(counts, ScoringSettings()), Offer(active=set(themes)))
    (lists,) = scorer.lists([Taste(declared={"b"})])
    listed = listed_of(lists[ListKind.DISCOVER])
    assert [each.product_code for each in listed] == [f"{t}{n}" for t in "ba" for n in range(4)]
    for number, each in enumerate(listed[:4]):
        popular, interest = each.reasons
        assert (popular.kind, interest.kind, interest.code) == ("P", "I", "b")
        assert interest.contribution == pytest.approx(0.025 * (61 - number) / 61, abs=EXACT)
        assert each.score == pytest.approx(
            popular.contribution + interest.contribution, abs=2 * EXACT
        )
    assert {reason.kind for each in listed[4:] for reason in each.reasons} == {"P"}
    (lists,) = scorer.lists([Taste(declared={"b"}, bought={"b1": 1})])
    faded = listed_of(lists[ListKind.DISCOVER])[0]
    assert faded.product_code == "b0"
    assert faded.reasons[1].contribution == pytest.approx(0.025 * 5 / 6, abs=EXACT)


def test_a_theme_is_a_prior_and_no_quota() -> None:
    """What hardly anybody has stays behind what everybody has, though its theme was chosen."""
    themes = {"a": "a", "b": "b"}
    counts = engine.PairCounts(engine.Items.of(themes))
    counts.add([{"a"}] * 99 + [{"b"}] * 9)
    scorer = engine.Scorer(engine.train_model(counts, ScoringSettings()), Offer(active=set(themes)))
    (lists,) = scorer.lists([Taste(declared={"b"})])
    scores = {each.product_code: each.score for each in listed_of(lists[ListKind.DISCOVER])}
    assert scores == {"a": 0.05, "b": 0.03}


@pytest.mark.parametrize(
    "wrong",
    [
        {"neighbors_max": 0},
        {"listed_max": 0},
        {"reasons_max": 0},
        {"ease_weights_max": 0},
        {"fade": 0.0},
        {"inferred_half": 0.0},
        {"ease_regularization": 0.0},
        {"shrinkage": -1.0},
        {"again_popularity": -0.1},
        {"discover_popularity": -0.1},
        {"theme_weight": -0.1},
        {"inferred_weight": 1.1},
        {"fade": float("nan")},
    ],
)
def test_settings_without_meaning_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no such settings"):
        ScoringSettings(**wrong)


def test_what_is_listed_is_stored_and_read_as_it_is() -> None:
    listed = (
        Listed(
            product_code="x",
            score=1.5,
            reasons=(
                Reason(kind=ReasonKind.BOUGHT, code="y", contribution=1.25),
                Reason(kind=ReasonKind.POPULARITY, code=None, contribution=0.25),
            ),
        ),
    )
    rows = rows_of(listed)
    assert rows == [("x", 1.5, (("B", "y", 1.25), ("P", None, 0.25)))]
    assert listed_of(orjson.loads(orjson.dumps(rows))) == listed


def test_the_front_door_needs_no_numpy() -> None:
    program = "import domain.recommendations.scoring, sys; print('numpy' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "False\n"
