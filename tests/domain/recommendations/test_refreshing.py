"""Lists are computed anew for those to whom something happened, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import catalogue, recommendations, storage
from domain.catalogue import CatalogueItem, DeclareInterests, declare_interests, products_by_code
from domain.custody import MergeBecause
from domain.custody import merge as merge_records
from domain.outbox import Announced
from domain.recommendations import (
    BehaviorEvent,
    ScoringSettings,
    SetNotInterested,
    ShelfRefresher,
    refreshing,
    shelves_consumer,
)
from domain.recommendations.scoring import Taste
from domain.recommendations.signals import tastes
from domain.recommendations.versions import (
    LEASE,
    activate,
    begin_training,
    fail_training,
    read_items,
)
from domain.storage import observed_statements, transaction
from tests.domain.purchases.shop import NOW, line, order
from tests.domain.recommendations.town import (
    PURPOSES,
    Town,
    a_crowd,
    a_town,
    due,
    events,
    hear_everything,
    inferred,
)

NAMES = ("ann", "ben", "cid", "dan")


@pytest.fixture
async def town(database: str) -> Town:
    """Ann and dan agreed, and a model serves; nobody waits for anything."""
    town = await a_town(*NAMES)
    await a_crowd(town)
    await town.says("ann", *PURPOSES)
    await town.says("dan")
    await town.trains()
    town.clock.advance(minutes=1)
    return town


async def refreshed(town: Town) -> int:
    """Hear of all that happened, and compute for those who wait."""
    await hear_everything()
    return await ShelfRefresher(clock=town.clock).refresh()


async def test_before_the_first_training_nobody_is_refreshed(database: str) -> None:
    town = await a_town("ann")
    await town.says("ann")
    assert await refreshed(town) == 0
    assert await due() == {town.people["ann"]: None}


async def test_who_buys_has_other_lists_at_once(town: Town) -> None:
    assert await refreshed(town) == 2  # They agreed after nothing was computed.
    told = len(await events("RecommendationsRefreshed"))
    await town.buys("dan", "leaf", at=town.clock.now())
    await town.buys("ben", "leaf", at=town.clock.now())  # Who did not agree.
    await hear_everything()
    assert set(await due()) == {town.people["ann"], town.people["dan"]}
    await ShelfRefresher(clock=town.clock).refresh()
    assert await due() == {}
    assert await town.codes("dan", "BUY_AGAIN") == ["leaf"]
    assert (await town.codes("dan", "AFTER_PURCHASE"))[0] == "pot"
    assert (await town.codes("dan"))[0] == "pot"
    assert "leaf" not in await town.codes("dan")
    assert await inferred(town.people["dan"]) == {"TEA": round(1000 * 0.5 / 6)}
    assert await town.lists("ben") == {}
    news = await events("RecommendationsRefreshed")
    assert {one.member_id for one in news} == {town.people["ann"], town.people["dan"]}
    assert len(news) == told + 2
    assert await ShelfRefresher(clock=town.clock).refresh() == 0


async def test_lists_of_a_refresh_are_those_of_a_training(town: Town) -> None:
    """The same model, whether it is fresh or read back."""
    before = {name: await town.lists(name) for name in ("ann", "dan")}
    assert await refreshed(town) == 2
    assert {name: await town.lists(name) for name in ("ann", "dan")} == before


@pytest.mark.parametrize("what", ["returns", "declares", "looks", "declines", "redeems"])
async def test_whatever_lists_follow_from_marks_who_did_it(town: Town, what: str) -> None:
    order = await town.buys("ann", "novel", at=town.clock.now())
    await refreshed(town)
    before = await town.lists("ann")
    ann = town.people["ann"]
    if what == "returns":
        await town.gives_back(order, "0", at=town.clock.now())
    elif what == "declares":
        await declare_interests(DeclareInterests(member_id=ann, themes=["BOOKS"]), now=NOW)
    elif what == "looks":
        for _ in range(8):
            await town.looks_at("ann", theme="BOOKS", at=town.clock.now())
    elif what == "declines":
        product = (await products_by_code(["cup"]))["cup"]
        command = SetNotInterested(member_id=ann, product_id=product.id, not_interested=True)
        await recommendations.set_not_interested(command, now=NOW)
    else:
        await town.redeems("ann", at=town.clock.now())
    await hear_everything()
    assert ann in await due()
    await ShelfRefresher(clock=town.clock).refresh()
    assert await town.lists("ann") != before


class Slow:
    """Signals that are read, and then nothing happens until something else did: once."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def __call__(self, ids: Sequence[UUID], **moments: Any) -> list[Taste]:
        found = await tastes(ids, **moments)
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return found


async def test_what_happens_while_lists_are_computed_is_not_lost(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await refreshed(town)
    await town.buys("dan", "leaf", at=town.clock.now())
    await hear_everything()

    async def buys() -> None:
        await town.buys("dan", "novel", at=town.clock.now())
        await hear_everything()

    monkeypatch.setattr(refreshing, "tastes", Slow(buys))
    assert await ShelfRefresher(clock=town.clock).refresh() == 0
    assert await town.codes("dan", "BUY_AGAIN") == []
    assert (await due())[town.people["dan"]] is None
    await ShelfRefresher(clock=town.clock).refresh()
    assert await due() == {}
    assert set(await town.codes("dan", "BUY_AGAIN")) == {"leaf", "novel"}


@pytest.mark.parametrize("trained", [False, True], ids=["", "beside a training"])
async def test_who_read_signals_earlier_writes_nothing_over_who_read_them_later(
    town: Town, monkeypatch: pytest.MonkeyPatch, *, trained: bool
) -> None:
    await refreshed(town)
    await town.says("dan", "behavior_tracking")
    for _ in range(8):
        await town.looks_at("dan", theme="BOOKS", at=town.clock.now())
    if trained:  # Marks of those who were done stay.
        await begin_training(ScoringSettings(), as_of=NOW, now=town.clock.now())
    dan = town.people["dan"]

    async def another_worker() -> None:
        await town.says("dan", "behavior_tracking", granted=False)
        await town.buys("dan", "leaf", at=town.clock.now())
        await hear_everything()
        await ShelfRefresher(clock=town.clock).refresh()

    monkeypatch.setattr(refreshing, "tastes", Slow(another_worker))
    assert await ShelfRefresher(clock=town.clock).refresh() == 0
    assert await town.codes("dan", "BUY_AGAIN") == ["leaf"]
    assert (await inferred(dan)).keys() == {"TEA"}, "what was looked at is forgotten"
    assert await due() == ({town.people["ann"]: 1, dan: 1} if trained else {})


async def test_one_who_cannot_be_computed_keeps_nobody_else_waiting(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await refreshed(town)
    ann, dan = town.people["ann"], town.people["dan"]
    await recommendations.mark_due([ann], now=NOW)
    await town.buys("dan", "leaf", at=town.clock.now())
    await recommendations.mark_due([dan], now=NOW)
    before = await town.lists("ann")

    async def poisoned(ids: Sequence[UUID], **moments: Any) -> list[Taste]:
        if ann in ids:
            raise RuntimeError("planted")
        return await tastes(ids, **moments)

    with monkeypatch.context() as patched:
        patched.setattr(refreshing, "tastes", poisoned)
        assert await ShelfRefresher(clock=town.clock).refresh() == 1
    assert await town.codes("dan", "BUY_AGAIN") == ["leaf"]
    assert await town.lists("ann") == before
    assert await due() == {ann: None}
    assert await ShelfRefresher(clock=town.clock).refresh() == 1
    assert await due() == {}


async def test_what_a_clock_that_is_ahead_says_counts_at_once(town: Town) -> None:
    await refreshed(town)
    await town.says("dan", "behavior_tracking")
    now, ahead = town.clock.now(), town.clock.now() + timedelta(minutes=3)
    bought = order("fast", "dan", line("leaf", 100, line_id="0"), placed_at=ahead)
    batch = await town.shop.record(bought, batch_id="fast", now=now)
    assert [one.code for one in batch.receipts] == [None]
    looked_at = BehaviorEvent(event_id="1", kind="view", product_id=None, theme="BOOKS", at=ahead)
    assert await recommendations.track_behavior(town.people["dan"], [looked_at], now=now) == 1
    await hear_everything()
    town.clock.advance(seconds=10)
    await ShelfRefresher(clock=town.clock).refresh()
    assert await town.codes("dan", "BUY_AGAIN") == ["leaf"]
    assert (await inferred(town.people["dan"])).keys() == {"TEA", "BOOKS"}
    # And a training in between does not forget it.
    await town.trains()
    assert await town.codes("dan", "BUY_AGAIN") == ["leaf"]
    assert (await inferred(town.people["dan"])).keys() == {"TEA", "BOOKS"}


async def test_who_was_refreshed_during_a_training_is_refreshed_after_it(town: Town) -> None:
    await refreshed(town)
    version = await begin_training(ScoringSettings(), as_of=NOW, now=town.clock.now())
    town.clock.advance(minutes=1)
    await town.buys("dan", "leaf", at=town.clock.now())
    await hear_everything()
    refresher = ShelfRefresher(clock=town.clock)
    assert await refresher.refresh() == 2
    assert await town.codes("dan", "BUY_AGAIN") == ["leaf"]
    assert set((await due()).values()) == {1}
    assert await refresher.refresh() == 0  # Nothing is left for this version.
    await activate(version, figures={}, now=town.clock.now())
    await refresher.refresh()
    assert await due() == {}
    assert set(await town.lists("dan", version=version)) == set(await town.lists("dan"))


async def test_a_training_that_fails_leaves_nobody_waiting(town: Town) -> None:
    await refreshed(town)
    version = await begin_training(ScoringSettings(), as_of=NOW, now=town.clock.now())
    await town.buys("dan", "leaf", at=town.clock.now())
    await hear_everything()
    refresher = ShelfRefresher(clock=town.clock)
    await refresher.refresh()
    assert len(await due()) == 2
    await fail_training(version, now=town.clock.now())
    assert await refresher.refresh() == 0
    assert await due() == {}


async def test_who_agrees_has_lists_and_who_withdraws_has_none(town: Town) -> None:
    await refreshed(town)
    await town.says("ben")
    await refreshed(town)
    assert set(await town.codes("ben", "BUY_AGAIN")) == {"leaf", "pot", "cup"}
    await hear_everything()
    await town.says("ben", granted=False)
    assert await town.lists("ben") == {}
    assert town.people["ben"] not in await due()
    # Marked by whoever heard of it too late: it is forgotten, and nothing written.
    await recommendations.mark_due([town.people["ben"]], now=NOW)
    await ShelfRefresher(clock=town.clock).refresh()
    assert town.people["ben"] not in await due()
    assert await town.lists("ben") == {}


async def test_of_two_who_become_one_the_one_who_stays_has_lists_of_both(town: Town) -> None:
    await refreshed(town)
    ann, dan = town.people["ann"], town.people["dan"]
    await town.buys("dan", "novel", at=town.clock.now())
    await refreshed(town)

    async def work() -> None:
        await merge_records(
            ann, dan, because=MergeBecause.STAFF, by="staff:clerk", now=town.clock.now()
        )

    await transaction(work)
    await refreshed(town)
    assert await town.lists("dan") == {}
    assert set(await town.codes("ann", "BUY_AGAIN")) == {"leaf", "pot", "novel"}
    assert await due() == {}


async def test_what_is_told_late_is_told_of_whoever_has_the_record_now(town: Town) -> None:
    await refreshed(town)
    ann, dan, nobody = town.people["ann"], town.people["dan"], UUID(int=7)

    async def work() -> None:
        await merge_records(ann, dan, because=MergeBecause.STAFF, by="staff:clerk", now=NOW)

    await transaction(work)
    told = [
        Announced(member_id=one, seq=99, kind="PurchaseRecorded", facts={}, announced_at=NOW)
        for one in (dan, nobody)
    ]
    await shelves_consumer().handle(told)
    assert await due() == {ann: None}


async def test_a_fixed_number_of_statements_whatever_the_number_of_members(town: Town) -> None:
    refresher = ShelfRefresher(clock=town.clock)
    await hear_everything()
    await refresher.refresh()

    async def statements(*names: str) -> int:
        await recommendations.mark_due([town.people[name] for name in names], now=NOW)
        with observed_statements() as seen:
            assert await refresher.refresh() == len(names)
        return len(seen)

    alone = await statements("ann")
    assert await statements("ann", "dan") <= alone + 1  # One event each on SQLite.


async def test_a_model_that_serves_is_read_once(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []

    async def read(version: int) -> Any:
        reads.append(version)
        return await read_items(version)

    monkeypatch.setattr(refreshing, "read_items", read)
    refresher = ShelfRefresher(clock=town.clock)
    for _ in range(3):
        await recommendations.mark_due([town.people["ann"]], now=NOW)
        await refresher.refresh()
    assert reads == [1]
    town.clock.advance(seconds=LEASE.total_seconds())
    await town.trains()
    await recommendations.mark_due([town.people["ann"]], now=NOW)
    await refresher.refresh()
    assert reads == [1, 2]


async def test_a_range_that_is_old_is_read_anew_and_the_model_is_not(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []

    async def read(version: int) -> Any:
        reads.append(version)
        return await read_items(version)

    monkeypatch.setattr(refreshing, "read_items", read)
    monkeypatch.setattr(refreshing, "RANGE_KEPT_S", 0.0)
    refresher = ShelfRefresher(clock=town.clock)
    for codes in ("", "", "lamp", "lamp rug"):
        new = [CatalogueItem(code=code, title=code) for code in codes.split()]
        await catalogue.upsert_products(new, now=NOW)
        await recommendations.mark_due([town.people["ann"]], now=NOW)
        assert await refresher.refresh() == 1
        found = await town.codes("ann")
        assert {"lamp", "rug"}.intersection(found) == set(codes.split())
    assert reads == [1]


async def test_time_that_is_up_leaves_the_rest_for_the_next_run(town: Town) -> None:
    await recommendations.mark_due(town.people.values(), now=NOW)
    assert await ShelfRefresher(clock=town.clock).refresh(within_s=0.0) == 0
    assert len(await due()) == 4
    rows = await storage.fetch_all("SELECT since FROM recommendation_due")
    assert {row["since"] for row in rows} == {NOW}
