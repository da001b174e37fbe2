"""The gateway that the examples talk to. What they do is the same on both databases."""

from __future__ import annotations

import pytest

from tests.domain.wechat import fixtures as wechat
from tests.graphql import conftest

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake
bare_gateway = conftest.bare_gateway
own_gateway = conftest.own_gateway


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite's."""
    return sqlite_url
