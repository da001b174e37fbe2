"""The gateway inside this process, for the few requests that `make test` sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.fake_wechat import RunningFake
from api.rates.settings import BucketSettings, RateSettings
from tests.domain.wechat import fixtures as wechat
from tests.fuzz.serving import BUCKETS, RATE
from tests.graphql.gateway import NOW, Gateway, open_gateway, settings_for
from tests.graphql.programme import set_up_programme

PLENTY = BucketSettings(capacity=RATE, restored_per_minute=RATE)

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake


@pytest.fixture
async def gateway(sqlite_url: str, tmp_path: Path, fake: RunningFake) -> AsyncIterator[Gateway]:
    """The gateway of the tests' programme, on SQLite."""
    plenty = RateSettings.model_validate(dict.fromkeys(BUCKETS, PLENTY))
    settings = settings_for(sqlite_url, tmp_path, fake).model_copy(update={"rates": plenty})
    async with open_gateway(settings, fake) as opened:
        await set_up_programme(now=NOW)
        yield opened
