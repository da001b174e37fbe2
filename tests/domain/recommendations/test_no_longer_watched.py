"""Who agrees to be watched no longer: what follows from what they looked at goes with it."""

from __future__ import annotations

import pytest

from domain import members
from domain.members import SetConsent
from domain.recommendations import ShelfRefresher, behavior_consumer
from tests.domain.recommendations.town import (
    Town,
    a_crowd,
    a_town,
    due,
    events,
    hear_everything,
    inferred,
)


@pytest.fixture
async def town(database: str) -> Town:
    """Ann and dan agreed to shelves of their own, and a model serves."""
    town = await a_town("ann", "ben", "cid", "dan")
    await a_crowd(town)
    await town.says("ann")
    await town.says("dan")
    await town.trains()
    town.clock.advance(minutes=1)
    return town


async def refreshed(town: Town) -> None:
    """Hear of all that happened, and compute for those who wait."""
    await hear_everything()
    await ShelfRefresher(clock=town.clock).refresh()


async def test_of_who_is_watched_no_longer_nothing_is_left_that_follows_from_it(
    town: Town,
) -> None:
    dan = town.people["dan"]
    await town.says("dan", "behavior_tracking")
    await town.buys("dan", "leaf", at=town.clock.now())
    for _ in range(8):
        await town.looks_at("dan", theme="BOOKS", at=town.clock.now())
    await refreshed(town)
    assert (await inferred(dan)).keys() == {"TEA", "BOOKS"}
    ann_has = await town.lists("ann")
    await town.says("dan", "behavior_tracking", granted=False)
    # At once, whether anybody hears of it or not.
    assert await town.lists("dan") == {}
    assert await inferred(dan) == {}
    assert await due() == {dan: None}
    assert await ShelfRefresher(clock=town.clock).refresh() == 1
    assert (await inferred(dan)).keys() == {"TEA"}
    assert await town.codes("dan", "BUY_AGAIN") == ["leaf"]
    reasons = [reason for item in (await town.lists("dan"))["DISCOVER"] for reason in item[2]]
    assert reasons
    assert "BOOKS" not in {code for _, code, _ in reasons}
    assert await town.lists("ann") == ann_has


async def test_who_comes_to_be_watched_no_longer_by_another_way_loses_it_too(town: Town) -> None:
    dan = town.people["dan"]
    await town.says("dan", "behavior_tracking")
    await town.looks_at("dan", theme="BOOKS", at=town.clock.now())
    await refreshed(town)
    withdrawn = SetConsent(member_id=dan, purpose="behavior_tracking", granted=False, version="1")
    await members.set_consent(withdrawn, now=town.clock.now())
    told = await events("ConsentChanged")
    for _ in range(2):
        await behavior_consumer().handle(told)
    assert await town.lists("dan") == {}
    assert await inferred(dan) == {}
    assert await due() == {dan: None}
    assert set(await town.lists("ann"))
    await ShelfRefresher(clock=town.clock).refresh()
    # Repeated later, it takes nothing away that was computed since.
    lists = await town.lists("dan")
    await behavior_consumer().handle(told)
    assert await town.lists("dan") == lists
