"""A training that is killed anywhere: the version before serves, the next training clears up."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest

from domain import recommendations, storage
from domain.recommendations import TrainingUnderWay
from domain.recommendations.versions import LEASE
from domain.storage import UNHURRIED
from tests.domain.recommendations.town import Town, a_town, counts, statuses
from tests.repository.tree import ROOT

pytestmark = [pytest.mark.faults, pytest.mark.soak]

Tally = Callable[[str, int, int], None]

MEMBERS: Final = 100
NEWS: Final = (
    "counting 20",
    "counting 100",
    "training",
    "model 2",
    "model 8",
    "lists 20",
    "lists 80",
)
"""After which news it is killed."""

KILLS: Final = 60
KILLS_SHORT: Final = 7


@asynccontextmanager
async def a_training(url: str, town: Town) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.training", url, town.clock.now().isoformat()),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()


async def killed_after(url: str, town: Town, news: str, *, later_s: float) -> None:
    """Train, and be killed after this news, or a little later."""
    async with a_training(url, town) as process:
        assert process.stdout is not None
        async for line in process.stdout:
            if line.decode().startswith(news):
                break
        else:
            pytest.fail(f"it ended before {news}")
        # Nothing is waited for: this only spreads the kills.
        await asyncio.sleep(later_s)


@pytest.fixture
async def town(postgres_url: str) -> AsyncIterator[Town]:
    await storage.connect(postgres_url, pool=UNHURRIED)
    chance = random.Random(20_260_301)
    names = [f"m{number}" for number in range(MEMBERS)]
    town = await a_town(*names)
    products = ["leaf", "pot", "cup", "tin", "novel", "atlas", "bag"]
    for name in names:
        await town.buys(name, " ".join(chance.sample(products, chance.randint(1, 4))))
        await town.says(name)
    yield town
    await storage.close()


@pytest.mark.timeout(1_800)
async def test_a_training_that_is_killed_leaves_the_version_before(
    postgres_url: str, town: Town, *, full_form: bool, tally: Tally
) -> None:
    chance = random.Random(7)
    serving = (await town.trains()).version
    expected = {name: await town.lists(name) for name in town.people}
    kills = KILLS if full_form else KILLS_SHORT
    taken_over = 0
    for number in range(kills):
        town.clock.advance(hours=1)
        later_s = chance.uniform(0, 0.02) if number >= len(NEWS) else 0.0
        await killed_after(postgres_url, town, NEWS[number % len(NEWS)], later_s=later_s)
        (newest, status), *_ = await statuses()
        if status == "TRAINING":
            active = await recommendations.active_model()
            assert active is not None
            assert active.version == serving
            # Until its lease is over nobody knows that it is dead.
            with pytest.raises(TrainingUnderWay):
                await town.trains()
            town.clock.advance(seconds=LEASE.total_seconds())
            taken_over += 1
        else:
            assert status == "ACTIVE"
            serving = newest
        assert {name: await town.lists(name) for name in town.people} == expected
        before, serving = serving, (await town.trains()).version
        assert await statuses() == [(serving, "ACTIVE"), (before, "KEPT")]
        assert {name: await town.lists(name) for name in town.people} == expected
        rows = await counts()
        assert set(rows["item"]) == set(rows["list"]) == {before, serving}
        assert rows["item"][serving] == rows["item"][before]
        assert rows["list"][serving] == rows["list"][before]
    tally("trainings that were killed half-way", taken_over, len(NEWS) - 1)
