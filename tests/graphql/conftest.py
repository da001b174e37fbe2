"""The gateway as a fixture, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.fake_wechat import RunningFake
from tests.domain.wechat import fixtures as wechat
from tests.graphql.gateway import Gateway, open_gateway, settings_for
from tests.graphql.programme import set_up_programme

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake


@pytest.fixture
async def fresh_gateway(
    database_url: str, tmp_path: Path, fake: RunningFake
) -> AsyncIterator[Gateway]:
    """The gateway over a database in which nothing was set up yet."""
    async with open_gateway(settings_for(database_url, tmp_path, fake), fake) as opened:
        yield opened


@pytest.fixture
async def gateway(fresh_gateway: Gateway) -> Gateway:
    """The gateway of the programme of these tests."""
    await set_up_programme(now=fresh_gateway.clock.now())
    return fresh_gateway
