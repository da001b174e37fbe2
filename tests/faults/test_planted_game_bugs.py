"""The model of the storm finds the bugs that pushing could have, each by its name.

The bugs are planted from outside; the product has no switch for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain import storage
from domain.games import (
    GameCampaign,
    RewardBatch,
    RewardStatus,
    push_decisions,
    pushing,
    receipts,
    reward_items,
    spending,
)
from domain.storage import Row, fetch_all
from tests.faults.storm_books import what_is_wrong
from tests.faults.storm_in_process import StormInProcess
from tests.faults.storm_partners import open_fairground
from tests.races.contention import PATIENT

pytestmark = pytest.mark.faults

Plant = Callable[[pytest.MonkeyPatch], None]

WIDE = 30
"""Statements within which a race is to happen."""

PARTNERS, BATCHES, SIZE = 6, 8, 20


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[str]:
    await storage.connect(postgres_url, pool=PATIENT)
    yield postgres_url
    await storage.close()


async def storm(database: str, folder: Path) -> list[str]:
    """What is wrong after a small storm in this process."""
    fairground = await open_fairground(
        database, folder, partners=PARTNERS, batches=BATCHES, size=SIZE
    )
    sent = StormInProcess((), fairground.pushers, keys=fairground.keys)
    await sent.push()
    await sent.look()
    return await what_is_wrong(fairground, sent.told)


def budgets_without_lock(plant: pytest.MonkeyPatch) -> None:
    """Two read the same, and the later one to write takes back what the other has spent."""

    async def read(sql: str, *values: Any) -> Sequence[Row]:
        rows = await fetch_all(sql.removesuffix(" FOR NO KEY UPDATE"), *values)
        for _ in range(WIDE):
            await fetch_all("SELECT 1")
        return rows

    plant.setattr(spending, "fetch_all", read)


def a_budget_that_is_never_used_up(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(GameCampaign, "left", property(lambda one: one.budget - one.spent - 60))


def caps_of_members_not_counted(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(push_decisions.Caps, "count", lambda *_: None)


def items_forgotten(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(reward_items.KeptItem, "is_remembered", property(lambda _: False))


def reversals_that_wait_for_ever(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(push_decisions.Deciding, "_resolve_waiting", lambda *_: None)


def replays_told_anew(plant: pytest.MonkeyPatch) -> None:
    """A batch that is sent again is told that all of it was there."""
    replayed = receipts.replayed_batch

    def anew(*given: Any) -> RewardBatch:
        batch = replayed(*given)
        again = [replace(one, status=RewardStatus.DUPLICATE) for one in batch.receipts]
        return replace(batch, receipts=again)

    plant.setattr(pushing, "replayed_batch", anew)


FOUND: dict[Plant, str] = {
    budgets_without_lock: "has spent",
    a_budget_that_is_never_used_up: "was refused for a budget with room for it",
    caps_of_members_not_counted: "more than",
    items_forgotten: "applied 2 times",
    replays_told_anew: "was answered in two ways",
    reversals_that_wait_for_ever: "its reversals [('PENDING', None)]",
}


async def test_the_product_as_it_is_has_nothing_wrong(database: str, tmp_path: Path) -> None:
    assert await storm(database, tmp_path) == []


@pytest.mark.parametrize("bug", FOUND, ids=lambda bug: bug.__name__)
async def test_a_planted_bug_is_found(
    bug: Plant, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    found = await storm(database, tmp_path)
    assert any(FOUND[bug] in one for one in found), found[:5]
