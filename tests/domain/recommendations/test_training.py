"""Training: lists of those who agreed, versions that take turns, and what a failure leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from domain import members, recommendations, storage
from domain.members import inferred_interests
from domain.recommendations import (
    Method,
    ScoringSettings,
    TrainingLost,
    TrainingUnderWay,
    active_model,
    training,
    versions,
)
from domain.recommendations.learning import learn
from domain.recommendations.lists import write_shelves
from domain.recommendations.scoring import engine
from domain.recommendations.versions import LEASE, begin_training, write_items
from domain.storage import observed_statements
from tests.domain.purchases.shop import NOW
from tests.domain.recommendations.town import (
    PURPOSES,
    Town,
    a_crowd,
    a_town,
    counts,
    events,
    hear_everything,
    inferred,
    statuses,
)

DAY = timedelta(days=1)
NAMES = ("ann", "ben", "cid", "dan", "eve")


@pytest.fixture
async def town(database: str) -> Town:
    town = await a_town(*NAMES)
    await a_crowd(town)
    return town


async def everything() -> dict[str, list[dict[str, Any]]]:
    """All rows that a training may write, and all events."""
    found = {}
    for table in ("model", "item", "list", "due"):
        rows = await storage.fetch_all(f"SELECT * FROM recommendation_{table} ORDER BY 1, 2")
        found[table] = [dict(row) for row in rows]
    rows = await storage.fetch_all("SELECT * FROM member_interest ORDER BY 1, 2")
    found["interests"] = [dict(row) for row in rows]
    rows = await storage.fetch_all("SELECT member_id, seq FROM outbox ORDER BY 1, 2")
    found["events"] = [dict(row) for row in rows]
    return found


async def test_whoever_agreed_has_lists_and_nobody_else(town: Town) -> None:
    await town.says("ann")
    await town.says("dan")
    await town.says("eve")
    await town.says("eve", granted=False)
    told: list[tuple[str, int, int | None]] = []
    trained = await recommendations.train(
        ScoringSettings(), clock=town.clock, told=lambda *news: told.append(news)
    )
    assert (trained.version, trained.figures["members"]) == (1, 3)
    assert (trained.figures["products"], trained.figures["listed_members"]) == (8, 2)
    assert set(await town.lists("ann")) == {"BUY_AGAIN", "DISCOVER", "AFTER_PURCHASE", "REWARDS"}
    assert set(await town.codes("ann", "BUY_AGAIN")) == {"leaf", "pot"}
    # Who bought leaf and pot, as ann did, has a cup.
    assert (await town.codes("ann"))[0] == "cup"
    assert await town.codes("ann", "REWARDS") == ["tin"]
    # Nobody has anything of dan's: what is popular.
    assert set((await town.codes("dan"))[:2]) == {"leaf", "pot"}
    assert await town.lists("ben") == {}
    assert await town.lists("eve") == {}
    assert await inferred(town.people["ann"]) == {"TEA": round(1000 * 0.5 * 2 / (2 + 5))}
    assert await inferred(town.people["ben"]) == {}
    stages = [stage for stage, _, _ in told]
    assert list(dict.fromkeys(stages)) == ["counting", "training", "model", "lists", "interests"]
    assert [news for news in told if news[0] in {"counting", "lists"}][-1] == ("lists", 5, 5)


async def test_a_version_serves_the_one_before_is_kept_and_older_ones_are_deleted(
    town: Town,
) -> None:
    await town.says("ann")
    for _ in range(3):
        await town.trains()
        town.clock.advance(hours=24)
    assert await statuses() == [(3, "ACTIVE"), (2, "KEPT")]
    assert {table: set(rows) for table, rows in (await counts()).items()} == {
        "item": {2, 3},
        "list": {2, 3},
    }
    told = await events("RecommendationsTrained")
    assert [dict(one.facts) for one in told] == [{"version": 1}, {"version": 2}, {"version": 3}]
    # What is inferred anew and is as it was is no news.
    assert len(await events("InterestsInferred")) == 1


async def test_the_model_is_kept_with_its_settings(town: Town) -> None:
    await town.trains(method=Method.EASE, fade=7.0)
    model = await active_model()
    assert model is not None
    assert (model.method, model.settings.fade, model.as_of) == (Method.EASE, 7.0, NOW)
    stages = {"counting", "training", "model", "lists", "interests"}
    assert model.figures["seconds"].keys() == stages
    rows = await versions.read_items(model.version)
    assert [row.product_code for row in rows] == sorted(row.product_code for row in rows)
    leaf = next(row for row in rows if row.product_code == "leaf")
    assert (leaf.popularity, leaf.theme_code) == (1.0, "TEA")


async def test_what_happened_later_changes_nothing(town: Town) -> None:
    for name in NAMES:
        await town.says(name, *PURPOSES)
    await town.looks_at("ann", theme="BOOKS", at=NOW - DAY)
    await town.redeems("ben", at=NOW - DAY)
    await town.trains()
    before = {name: await town.lists(name) for name in NAMES}
    items = await versions.read_items(1)

    town.clock.advance(hours=1)
    later = town.clock.now()
    first = await town.buys("ann", "novel atlas bag", at=later)
    await town.buys("dan", "leaf cup tin", at=later)
    await town.looks_at("eve", theme="TEA", at=later)
    await town.redeems("eve", at=later)
    await town.gives_back(first, "0", at=later)
    await town.trains(as_of=NOW)

    assert await versions.read_items(2) == items
    assert {name: await town.lists(name) for name in NAMES} == before
    # And as of later it does change, or this would say nothing.
    await town.trains()
    after = {name: await town.lists(name) for name in NAMES}
    assert all(after[name] != before[name] for name in ("ann", "dan", "eve"))


async def test_a_second_training_is_refused_and_changes_nothing(town: Town) -> None:
    await town.trains()
    version = await begin_training(ScoringSettings(), as_of=NOW, now=NOW)
    before = await everything()
    town.clock.advance(seconds=LEASE.total_seconds() - 1)
    with pytest.raises(TrainingUnderWay) as refused:
        await town.trains()
    assert (refused.value.version, refused.value.started_at) == (version, NOW)
    assert await everything() == before


async def test_a_dead_training_is_taken_over_and_what_it_left_is_deleted(town: Town) -> None:
    await town.says("ann")
    await town.trains()
    dead = await begin_training(ScoringSettings(), as_of=NOW, now=NOW)
    await write_items(dead, await versions.read_items(1), now=NOW)
    town.clock.advance(seconds=LEASE.total_seconds())
    await town.trains()
    assert await statuses() == [(3, "ACTIVE"), (1, "KEPT")]
    assert set((await counts())["item"]) == {1, 3}
    # Whoever was only slow writes nothing more.
    before = await everything()
    with pytest.raises(TrainingLost):
        await write_items(dead, await versions.read_items(1), now=NOW)
    with pytest.raises(TrainingLost):
        await versions.activate(dead, figures={}, now=NOW)
    assert await everything() == before


STAGES = ["product_range", "histories", "write_items", "tastes", "write_shelves", "activate"]


@pytest.mark.parametrize("stage", STAGES)
async def test_a_training_that_fails_leaves_the_version_before(
    town: Town, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.says("ann")
    await town.trains()
    before = await town.lists("ann")

    async def fail(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as planted:
        planted.setattr(training, stage, fail)
        with pytest.raises(RuntimeError, match="planted"):
            await town.trains()
    assert await statuses() == [(2, "FAILED"), (1, "ACTIVE")]
    assert await town.lists("ann") == before
    # Nobody waits for a lease: the next one begins at once, and clears up.
    await town.trains()
    assert await statuses() == [(3, "ACTIVE"), (1, "KEPT")]
    assert {table: set(rows) for table, rows in (await counts()).items()} == {
        "item": {1, 3},
        "list": {1, 3},
    }


async def test_nothing_is_inferred_before_the_version_serves_that_it_belongs_to(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.says("ann", *PURPOSES)
    await town.trains()
    before = await inferred(town.people["ann"])
    assert before.keys() == {"TEA"}
    told = len(await events("InterestsInferred"))
    for _ in range(8):
        await town.looks_at("ann", theme="BOOKS", at=town.clock.now())

    async def fail(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as planted:
        planted.setattr(training, "activate", fail)
        for as_of in (NOW, NOW - 30 * DAY):
            with pytest.raises(RuntimeError, match="planted"):
                await town.trains(as_of=as_of)
    assert await inferred(town.people["ann"]) == before
    assert len(await events("InterestsInferred")) == told
    # A model of another day changes nothing of what is known of members now.
    await town.trains(as_of=NOW - 30 * DAY)
    assert (await inferred(town.people["ann"])).keys() == {"TEA", "BOOKS"}
    assert len(await events("InterestsInferred")) == told + 1


async def test_interests_are_inferred_of_what_is_there_under_the_lock(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.says("ann", *PURPOSES)
    await town.says("ben", *PURPOSES)
    for name in ("ann", "ben"):
        await town.looks_at(name, theme="BOOKS", at=NOW)

    async def withdraw(ids: Collection[UUID]) -> Mapping[UUID, Mapping[str, int]]:
        # What both looked at was read by now.
        found = await inferred_interests(ids)
        if not withdrawn:
            withdrawn.append("ann")
            await town.says("ann", "behavior_tracking", granted=False)
        return found

    withdrawn: list[str] = []
    monkeypatch.setattr(members, "inferred_interests", withdraw)
    await town.trains()
    monkeypatch.undo()
    assert withdrawn
    assert (await inferred(town.people["ann"])).keys() == {"TEA"}
    assert (await inferred(town.people["ben"])).keys() == {"TEA", "BOOKS"}


@pytest.mark.parametrize("what", ["hold_out", "infer_interests", "clear_versions", "add_figures"])
async def test_what_a_version_can_do_without_does_not_keep_it_from_serving(
    town: Town, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.says("ann")
    await town.trains()
    serving = []

    async def fail(*arguments: Any, **named: Any) -> None:
        serving.append((await statuses())[0])
        raise RuntimeError("planted")

    with monkeypatch.context() as planted:
        planted.setattr(training, what, fail)
        trained = await recommendations.train(
            ScoringSettings(), clock=town.clock, held_out=timedelta(days=3)
        )
    assert serving[-1] == (2, "ACTIVE")
    assert await statuses() == [(2, "ACTIVE"), (1, "KEPT")]
    model = await active_model()
    assert model is not None
    assert model.figures["listed_members"] == 1
    assert "quality" not in model.figures
    assert trained.figures["listed_members"] == 1
    assert set(await town.codes("ann", "BUY_AGAIN")) == {"leaf", "pot"}
    # What was left undone the next one does.
    await town.trains()
    assert await statuses() == [(3, "ACTIVE"), (2, "KEPT")]


@pytest.mark.parametrize("stage", ["counting", "training", "model", "lists"])
async def test_a_training_that_is_cancelled_leaves_the_version_before(
    town: Town, stage: str
) -> None:
    """As a worker's is that is told to stop."""
    await town.says("ann")
    await town.trains()
    before = await town.lists("ann")

    def cancel(now_in: str, done: int, total: int | None) -> None:
        if now_in == stage:
            task.cancel()

    train = recommendations.train(ScoringSettings(), clock=town.clock, told=cancel)
    task = asyncio.create_task(train)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await statuses() == [(2, "FAILED"), (1, "ACTIVE")]
    assert await town.lists("ann") == before
    await town.trains()
    assert await statuses() == [(3, "ACTIVE"), (1, "KEPT")]


async def test_a_thread_that_nobody_waits_for_ends_at_its_next_news(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on, ended = Event(), Event(), Event()

    def train_model(counts: Any, settings: Any, *, on_progress: Any) -> None:
        begun.set()
        go_on.wait()
        try:
            on_progress(1, 2)
        finally:
            ended.set()
        pytest.fail("it went on")

    monkeypatch.setattr(engine, "train_model", train_model)
    told: list[tuple[int, int]] = []
    counts = engine.PairCounts(engine.Items.of({}))
    learning = asyncio.create_task(
        learn(counts, ScoringSettings(), told=lambda *news: told.append(news))
    )
    await asyncio.to_thread(begun.wait)
    learning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await learning
    go_on.set()
    await asyncio.to_thread(ended.wait)
    assert told == []


async def test_nothing_is_written_for_who_withdraws_while_lists_are_computed(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.says("ann")
    await town.says("ben")

    async def withdraw(*arguments: Any, **named: Any) -> set[UUID]:
        # Everything about ann is computed by now, and nothing of it is written.
        await town.says("ann", granted=False)
        return await write_shelves(*arguments, **named)

    monkeypatch.setattr(training, "write_shelves", withdraw)
    await town.trains()
    assert await town.lists("ann") == {}
    assert await inferred(town.people["ann"]) == {}
    assert set(await town.codes("ben", "BUY_AGAIN")) == {"leaf", "pot", "cup"}


async def test_who_withdraws_loses_all_of_it_at_once(town: Town) -> None:
    await town.says("ann", *PURPOSES)
    await town.trains()
    await town.trains()
    await town.buys("ann", "tin")
    await hear_everything()
    await town.says("ann", granted=False)
    found = await everything()
    assert (found["list"], found["due"], found["interests"]) == ([], [], [])
    # What is bought is bought; it is only not looked at for this.
    await hear_everything()
    await town.trains()
    assert (await everything())["list"] == []


async def test_no_statement_grows_with_the_members_and_none_is_needed_for_the_swap(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        await town.says(name)

    async def statements() -> int:
        with observed_statements() as seen:
            await town.trains()
        return len(seen)

    await statements()
    five_at_once = await statements()
    monkeypatch.setattr(training, "READ_AT_ONCE", 1)
    each_alone = await statements()
    # A walk in five steps asks five times what it asks in one; twice it walks.
    assert five_at_once < each_alone < 5 * five_at_once

    with observed_statements() as swap:
        version = await begin_training(ScoringSettings(), as_of=NOW, now=NOW)
        begun = len(swap)
        await versions.activate(version, figures={}, now=NOW)
    assert len(swap) - begun <= 5
