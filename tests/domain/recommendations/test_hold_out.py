"""A model of before a split, judged by what those who agree bought after it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.catalogue import DeclareInterests, declare_interests, products_by_code
from domain.recommendations import (
    ScoringSettings,
    SetNotInterested,
    hold_out,
    set_not_interested,
    train,
)
from domain.recommendations.quality import Quality
from domain.recommendations.signals import bought_between, tastes
from tests.domain.purchases.shop import NOW
from tests.domain.recommendations.town import Town, a_crowd, a_town

DAY = timedelta(days=1)
HELD_OUT = 5 * DAY


@pytest.fixture
async def town(database: str) -> Town:
    town = await a_town("ann", "ben", "cid", "dan", "eve")
    await a_crowd(town)
    return town


async def quality(town: Town, *, as_of: timedelta = timedelta()) -> Quality | None:
    trained = await train(ScoringSettings(), clock=town.clock, as_of=NOW + as_of, held_out=HELD_OUT)
    told = trained.figures.get("quality")
    return None if told is None else Quality.from_facts(told)


async def test_members_who_agree_are_judged_by_what_they_bought_after_the_split(
    town: Town,
) -> None:
    await town.says("ann")
    await town.says("dan")
    # Who bought leaf and pot, as ann did before the split, has a cup.
    await town.buys("ann", "cup leaf", at=NOW - DAY)
    # The first order of dan, and those of ben, who did not agree.
    await town.buys("dan", "leaf", at=NOW - DAY)
    await town.buys("ben", "atlas", at=NOW - DAY)
    found = await quality(town)
    assert found is not None
    assert (found.split_at, found.until) == (NOW - HELD_OUT, NOW)
    assert (found.again.members, found.again.recall_at_10) == (1, 0.5), "leaf, of leaf and cup"
    assert (found.discover.members, found.discover.recall_at_10) == (1, 1.0)
    assert found.discover.recall[1] == 1.0, "the cup came first"
    assert (found.cold.members, found.cold_share) == (1, 0.5)
    assert found.cold.recall_at_10 == 1.0, "leaf is popular"


async def test_nothing_after_the_split_is_known_to_the_model(town: Town) -> None:
    await town.says("ann")
    await town.buys("ann", "novel", at=NOW - DAY)
    before = await quality(town)
    # Whoever buys a pot now buys a novel: the model of before must not know.
    for _ in range(5):
        await town.buys("eve", "leaf pot novel", at=NOW - DAY)
        await town.buys("dan", "leaf pot novel", at=NOW - 2 * DAY)
    assert await quality(town) == before
    # Nor does what comes after the moment that the training is of.
    await town.buys("ann", "atlas cup", at=NOW + DAY)
    assert await quality(town) == before


async def test_what_members_say_after_the_split_is_not_heard(town: Town) -> None:
    ann = town.people["ann"]
    await town.says("ann")
    await town.buys("ann", "novel", at=NOW - DAY)
    await declare_interests(DeclareInterests(member_id=ann, themes=["TEA"]), now=NOW - 6 * DAY)
    before = await quality(town)
    themes = DeclareInterests(member_id=ann, themes=["TEA", "BOOKS"])
    await declare_interests(themes, now=NOW - 2 * DAY)
    for code in ("novel", "cup"):
        product = (await products_by_code([code]))[code]
        command = SetNotInterested(member_id=ann, product_id=product.id, not_interested=True)
        await set_not_interested(command, now=NOW - 2 * DAY)
    assert await quality(town) == before
    [then] = await tastes([ann], as_of=NOW, said_by=NOW - HELD_OUT)
    assert (set(then.declared), set(then.not_interested)) == ({"TEA"}, set())
    [now] = await tastes([ann], as_of=NOW)
    assert (set(now.declared), set(now.not_interested)) == ({"TEA", "BOOKS"}, {"novel", "cup"})


async def test_what_was_given_back_was_not_bought(town: Town) -> None:
    await town.says("ann")
    order_id = await town.buys("ann", "cup novel", at=NOW - DAY)
    await town.gives_back(order_id, "0", at=NOW)
    await town.buys("ann", "leaf", at=NOW - HELD_OUT)
    ids = [town.people["ann"]]
    found = await bought_between(ids, after=NOW - HELD_OUT, until=NOW)
    assert found == [{"novel"}], "the cup went back; the leaf came at the split itself"
    found = await bought_between(ids, after=NOW - HELD_OUT, until=NOW - DAY)
    assert found == [{"novel", "cup"}]


async def test_there_is_nothing_to_tell_where_nobody_agrees_or_bought(town: Town) -> None:
    await town.buys("ann", "cup", at=NOW - DAY)
    assert await quality(town) is None
    await town.says("ben")
    assert await quality(town) is None
    assert await quality(town, as_of=-8 * DAY) is None, "nobody had bought anything before"


async def test_some_members_stand_for_all_and_the_same_each_time(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hold_out.MEMBERS_MAX >= 1_000
    monkeypatch.setattr(hold_out, "MEMBERS_MAX", 2)
    for name in ("ann", "ben", "cid"):
        await town.says(name)
        await town.buys(name, "cup tin", at=NOW - DAY)
    first = await quality(town)
    assert first is not None
    assert first.again.members == 2
    assert await quality(town) == first
