"""The fixtures of the races: the product connected to PostgreSQL, and what signing in needs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from domain import storage
from tests.domain.access import fixtures as access
from tests.domain.members import fixtures as members
from tests.domain.wechat import fixtures as wechat_fixtures
from tests.races.contention import PATIENT, Gate, gate

key_path = access.key_path
ring = access.ring
tokens = access.tokens
_serving_fake = wechat_fixtures._serving_fake
clock = wechat_fixtures.clock
fake = wechat_fixtures.fake
phone = wechat_fixtures.phone
wechat = members.wechat
door = members.door


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[str]:
    """The product connected to a fresh database on PostgreSQL, with connections for a crowd."""
    await storage.connect(postgres_url, pool=PATIENT)
    yield postgres_url
    await storage.close()


@pytest.fixture(name="gate")
async def _gate(postgres: str) -> AsyncIterator[Gate]:
    """What holds the crowd back until it has gathered."""
    async with gate(postgres) as held:
        yield held
