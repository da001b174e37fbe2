"""Trainings at once: one wins, and whoever reads meanwhile never sees half a model."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final

import pytest

from domain import recommendations, storage
from domain.recommendations import ShelfRefresher, Trained, TrainingUnderWay, versions
from domain.recommendations.versions import LEASE
from tests.domain.purchases.shop import NOW
from tests.domain.recommendations.town import (
    Town,
    a_crowd,
    a_town,
    counts,
    due,
    hear_everything,
    statuses,
)
from tests.races.contention import Gate

TRAINERS: Final = 12
NAMES: Final = ("ann", "ben", "cid", "dan")
NO_ROW: Final = "LOCK TABLE recommendation_model IN SHARE MODE"
"""Versions are read, and nobody writes one."""


async def a_trained_town() -> Town:
    town = await a_town(*NAMES)
    await a_crowd(town)
    for name in NAMES:
        await town.says(name)
    return town


async def test_of_trainings_at_once_one_wins_and_the_others_are_refused(gate: Gate) -> None:
    town = await a_trained_town()
    await gate.hold(NO_ROW)
    training_all = [asyncio.create_task(town.trains()) for _ in range(TRAINERS)]
    await gate.open(waiting=TRAINERS)
    outcomes = await asyncio.gather(*training_all, return_exceptions=True)
    won = [one for one in outcomes if isinstance(one, Trained)]
    refused = [one for one in outcomes if isinstance(one, TrainingUnderWay)]
    assert (len(won), len(refused)) == (1, TRAINERS - 1)
    assert await statuses() == [(1, "ACTIVE")]
    assert {table: set(rows) for table, rows in (await counts()).items()} == {
        "item": {1},
        "list": {1},
    }


async def test_of_those_who_take_over_from_a_dead_one_one_wins(gate: Gate) -> None:
    town = await a_trained_town()
    await versions.begin_training(
        recommendations.ScoringSettings(), as_of=NOW, now=NOW - LEASE - timedelta(seconds=1)
    )
    await gate.hold("SELECT 1 FROM recommendation_model FOR UPDATE")
    training_all = [asyncio.create_task(town.trains()) for _ in range(TRAINERS)]
    await gate.open(waiting=TRAINERS)
    outcomes = await asyncio.gather(*training_all, return_exceptions=True)
    assert [type(one) for one in outcomes].count(Trained) == 1
    assert [type(one) for one in outcomes].count(TrainingUnderWay) == TRAINERS - 1
    assert (await statuses())[0] == (2, "ACTIVE")


async def seen_by_a_reader() -> tuple[int, int, int]:
    """In one statement: the version that serves, its products, and the lists of its members."""
    row = await storage.fetch_one(
        "SELECT m.version,"
        " (SELECT COUNT(*) FROM recommendation_item AS i WHERE i.version = m.version) AS items,"
        " (SELECT COUNT(*) FROM recommendation_list AS l"
        "  WHERE l.version = m.version AND l.list = 'DISCOVER') AS lists"
        " FROM recommendation_model AS m WHERE m.status = 'ACTIVE'"
    )
    assert row is not None, "one serves at each moment"
    return row["version"], row["items"], row["lists"]


async def test_who_reads_while_models_take_turns_sees_one_of_them_whole(postgres: str) -> None:
    town = await a_trained_town()
    await town.trains()
    whole = (await seen_by_a_reader())[1:]
    assert whole == (8, 4)
    done = asyncio.Event()
    seen: list[tuple[int, int, int]] = []

    async def read() -> None:
        while not done.is_set():
            seen.append(await seen_by_a_reader())

    readers = [asyncio.create_task(read()) for _ in range(6)]
    for _ in range(8):
        await town.trains()
    done.set()
    await asyncio.gather(*readers)
    assert {(items, lists) for _, items, lists in seen} == {whole}
    assert len({version for version, _, _ in seen}) >= 5
    assert len(seen) > 100


@pytest.mark.parametrize("first", ["training", "withdrawal"])
async def test_a_withdrawal_beside_the_writing_of_lists_leaves_none(gate: Gate, first: str) -> None:
    town = await a_trained_town()
    await gate.hold("SELECT 1 FROM member WHERE id = $1 FOR UPDATE", town.people["ann"])

    async def withdraw() -> None:
        await town.says("ann", granted=False)

    doings: list[Coroutine[Any, Any, Any]] = [town.trains(), withdraw()]
    tasks = []
    for waiting, doing in enumerate(doings if first == "training" else doings[::-1], start=1):
        tasks.append(asyncio.create_task(doing))
        await gate.gather(waiting=waiting)
    await gate.open(waiting=2)
    await asyncio.gather(*tasks)
    assert await town.lists("ann") == {}
    assert set(await town.lists("ben")) == {"BUY_AGAIN", "DISCOVER", "AFTER_PURCHASE", "REWARDS"}


async def test_refreshers_at_once_lose_nothing_of_what_members_do(postgres: str) -> None:
    town = await a_trained_town()
    await town.trains()
    await hear_everything()
    refreshers = [ShelfRefresher(clock=town.clock) for _ in range(4)]
    baskets = ["leaf", "pot", "cup", "tin", "novel", "atlas", "bag"]
    bought: set[str] = set()
    for basket in baskets:
        town.clock.advance(seconds=1)
        await town.buys("dan", basket, at=town.clock.now())
        bought.add(basket)
        await recommendations.mark_due([town.people["dan"]], now=town.clock.now())
        refreshing = [one.refresh() for one in refreshers]
        trained = town.trains() if basket in {"cup", "bag"} else asyncio.sleep(0)
        await asyncio.gather(trained, *refreshing)
        while any([await one.refresh() for one in refreshers]):
            continue
        assert await due() == {}
        assert set(await town.codes("dan", "BUY_AGAIN")) == bought


async def test_who_counts_as_dead_too_early_does_not_serve_beside_the_other(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: a lease that is over at once."""
    town = await a_trained_town()
    slow = await versions.begin_training(
        recommendations.ScoringSettings(), as_of=NOW, now=town.clock.now()
    )
    monkeypatch.setattr(versions, "LEASE", timedelta(0))
    trained = await town.trains()
    with pytest.raises(recommendations.TrainingLost):
        await versions.activate(slow, figures={}, now=town.clock.now())
    assert await statuses() == [(trained.version, "ACTIVE")]
