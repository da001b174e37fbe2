"""The gateway that the examples talk to. What they do is the same on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio

from tests.domain.wechat import fixtures as wechat
from tests.examples.park import Park, open_park
from tests.graphql import conftest
from tests.graphql.gateway import Gateway

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake
bare_gateway = conftest.bare_gateway
own_gateway = conftest.own_gateway


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite's."""
    return sqlite_url


@pytest_asyncio.fixture
async def park(own_gateway: Gateway, tmp_path: Path) -> Park:
    """A platform with one player."""
    return await open_park(own_gateway, tmp_path)
