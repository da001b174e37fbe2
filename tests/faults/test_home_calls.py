"""The home page calls no more functions than it did: a guard that a busy machine does not move."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from api.settings import Settings
from benchmarks.home.building import Sizes, build
from benchmarks.home.calls import calls_each
from benchmarks.home.contestants import PLANS_OFF

CALLS_MAX: Final = 10_900
"""Two hundredths above what was counted. Lower it with each change that saves some."""

PLANS_SAVE_LEAST: Final = 1.5
"""How many times as many calls there are at least where every query is left to graphql-core."""

NOISE_MAX: Final = 0.01


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_the_home_page_calls_no_more_than_it_did(
    postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    town = await build(postgres_url, tmp_path, Sizes(members=2, entries=30))
    found = await calls_each(town, tmp_path, redis_url=redis_url)
    assert found <= CALLS_MAX
    without = await calls_each(town, tmp_path, redis_url=redis_url, environment=PLANS_OFF)
    if "execution" in Settings.model_fields:
        assert without >= found * PLANS_SAVE_LEAST
    else:
        assert abs(without / found - 1) <= NOISE_MAX, "counted twice, it is the same"
