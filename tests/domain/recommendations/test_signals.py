"""What is known of members up to a moment, and that nothing later is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import recommendations, rewards
from domain.catalogue import products_by_code
from domain.recommendations import SetNotInterested
from domain.recommendations.scoring import (
    Listed,
    ListKind,
    Offer,
    ScoringSettings,
    Taste,
    engine,
    explain,
    listed_of,
)
from domain.recommendations.signals import histories, tastes
from domain.rewards import CancelRedemption
from domain.storage import observed_statements
from tests.domain.purchases.shop import NOW
from tests.domain.recommendations.town import PURPOSES, Town, a_town

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
async def town(database: str) -> Town:
    return await a_town("ann", "ben", "cid")


async def taste(town: Town, name: str = "ann", **changes: Any) -> Taste:
    values: dict[str, Any] = {"as_of": NOW, **changes}
    [found] = await tastes([town.people[name]], **values)
    return found


async def test_orders_are_counted_and_not_pieces(town: Town) -> None:
    await town.buys("ann", "leaf leaf pot", at=NOW - 2 * DAY)
    await town.buys("ann", "leaf cup", at=NOW - DAY)
    await town.buys("ben", "bag")
    found = await taste(town)
    assert found.bought == {"leaf": 2, "pot": 1, "cup": 1}
    assert set(found.newest_order) == {"leaf", "cup"}
    assert (await taste(town, "cid")) == Taste(
        bought={}, redeemed=set(), newest_order=set(), declared=frozenset(), browsed={},
        not_interested=set(),
    )  # fmt: skip


async def test_what_was_given_back_whole_was_not_bought(town: Town) -> None:
    first = await town.buys("ann", "leaf leaf pot", at=NOW - 3 * DAY)
    last = await town.buys("ann", "cup", at=NOW - 2 * DAY)
    await town.gives_back(first, "0", at=NOW - DAY)
    assert (await taste(town)).bought == {"leaf": 1, "pot": 1, "cup": 1}
    await town.gives_back(first, "1", at=NOW - DAY)
    assert (await taste(town)).bought == {"pot": 1, "cup": 1}
    # The newest order is the newest of which something was kept.
    await town.gives_back(last, "0", at=NOW - DAY)
    found = await taste(town)
    assert found.bought == {"pot": 1}
    assert set(found.newest_order) == {"pot"}
    # It was bought as long as it had not been given back.
    before = await taste(town, as_of=NOW - DAY - MOMENT)
    assert before.bought == {"leaf": 1, "pot": 1, "cup": 1}


async def test_a_reason_leaves_the_newest_order_the_newest(town: Town) -> None:
    """Giving the order back is another thing: then the one before it is the newest."""
    for name, basket in (("ben", "leaf pot"), ("cid", "cup pot")):
        await town.buys(name, basket, at=NOW - 3 * DAY)
    await town.buys("ann", "cup", at=NOW - 2 * DAY)
    newest = await town.buys("ann", "leaf", at=NOW - DAY)
    themes: dict[str, str | None] = dict.fromkeys(("leaf", "cup", "pot"))
    counts = engine.PairCounts(engine.Items.of(themes))
    ids = [town.people[name] for name in ("ann", "ben", "cid")]
    counts.add(await histories(ids, as_of=NOW))
    scorer = engine.Scorer(engine.train_model(counts, ScoringSettings()), Offer(active={"pot"}))

    def pot(of: Taste) -> Listed | None:
        [lists] = scorer.lists([of])
        return next(iter(listed_of(lists[ListKind.AFTER_PURCHASE])), None)

    whole = await taste(town)
    listed = pot(whole)
    assert listed is not None
    [cited] = [one for one in listed.reasons if one.code == "leaf"]
    [item] = [row for row in scorer.model.rows() if row.product_code == "pot"]
    fixed = replace(whole, bought={"cup": 1}, newest_order=set())
    settings, kind = ScoringSettings(), ListKind.AFTER_PURCHASE
    alone = explain(settings, fixed, item, kind=kind, themes=themes)
    assert listed.score - alone.score == pytest.approx(cited.contribution, abs=1e-9)
    await town.gives_back(newest, "0", at=NOW)
    given_back = await taste(town)
    assert given_back == replace(fixed, newest_order={"cup"})
    before = pot(given_back)
    assert before is not None
    assert before.score > alone.score


async def test_nothing_that_happened_later_is_known(town: Town) -> None:
    await town.says("ann", *PURPOSES)
    later = NOW + MOMENT
    await town.buys("ann", "leaf", at=NOW)
    await town.looks_at("ann", theme="TEA", at=NOW)
    await town.redeems("ann", at=NOW)
    known = await taste(town)
    town.clock.advance(seconds=1)
    await town.buys("ann", "pot leaf", at=later)
    await town.looks_at("ann", theme="TEA", at=later)
    assert await taste(town) == known
    assert known.bought == {"leaf": 1}
    assert known.redeemed == {"tin"}
    assert known.browsed == {"TEA": 1}
    after = await taste(town, as_of=later)
    assert after.bought == {"leaf": 2, "pot": 1}
    assert after.browsed == {"TEA": 2}
    assert (await taste(town, as_of=NOW - MOMENT)).redeemed == set()


async def test_a_redemption_that_is_cancelled_gave_nothing(town: Town) -> None:
    redemption = await town.redeems("ann")
    assert (await taste(town)).redeemed == {"tin"}
    command = CancelRedemption(
        member_id=town.people["ann"], redemption_id=redemption, idempotency_key="back"
    )
    await rewards.cancel_redemption(command, rules_in_force=rewards.RewardRules(), now=NOW)
    assert (await taste(town)).redeemed == set()


async def test_what_is_looked_at_counts_for_its_theme(town: Town) -> None:
    await town.says("ann", *PURPOSES)
    await town.looks_at("ann", product="leaf")
    await town.looks_at("ann", product="bag")  # It has no theme.
    await town.looks_at("ann", theme="TEA")
    await town.looks_at("ann", product="leaf", theme="BOOKS")
    assert (await taste(town)).browsed == {"TEA": 2, "BOOKS": 1}


async def test_what_is_not_wanted_is_known(town: Town) -> None:
    await town.says("ann")
    product = (await products_by_code(["leaf"]))["leaf"]
    command = SetNotInterested(
        member_id=town.people["ann"], product_id=product.id, not_interested=True
    )
    await recommendations.set_not_interested(command, now=NOW)
    assert (await taste(town)).not_interested == {"leaf"}


async def test_members_are_told_apart_in_the_order_in_which_they_are_asked_for(town: Town) -> None:
    await town.buys("ben", "leaf")
    await town.buys("ann", "pot")
    await town.redeems("cid")
    ids = [town.people[name] for name in ("cid", "ann", "ben")]
    assert await histories([*ids, UUID(int=7)], as_of=NOW) == [{"tin"}, {"pot"}, {"leaf"}, set()]
    assert await histories([], as_of=NOW) == []
    assert await tastes([], as_of=NOW) == []


async def test_a_fixed_number_of_statements_whatever_the_number_of_members(town: Town) -> None:
    for name in town.people:
        await town.buys(name, "leaf pot")

    async def statements(*names: str) -> int:
        with observed_statements() as seen:
            await tastes([town.people[name] for name in names], as_of=NOW)
        return len(seen)

    assert await statements("ann") == await statements("ann", "ben", "cid") == 7
