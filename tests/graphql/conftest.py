"""The gateway as a fixture, on each database.

Tests share the database of their module, each with people and a shop of its own; those that change
what everybody sees have a database of their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from api.fake_wechat import RunningFake
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.domain.wechat import fixtures as wechat
from tests.domain.wechat.mini_program import MovableClock
from tests.graphql.gateway import NOW, Gateway, Session, open_gateway, settings_for
from tests.graphql.kept import Kept, everything_kept
from tests.graphql.orders import order, record
from tests.graphql.programme import SHOP, open_shop, set_up_programme
from tests.servers import PostgresDatabases, SqliteDatabases

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake

_TESTS = count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    _sqlite_databases: SqliteDatabases,
    _postgres_databases: PostgresDatabases | str,
    report: ClosingReport,
) -> Iterator[str]:
    """A database for a whole module: its tests run once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        report.parts["sqlite"] = f"{sqlite3.sqlite_version}, the library of this Python"
        yield _sqlite_databases.fresh(tmp_path_factory.mktemp("shared"))
    elif isinstance(_postgres_databases, str):
        part_is_missing(report, "postgresql", _postgres_databases)
    else:
        with _postgres_databases.fresh() as url:
            yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway(
    shared_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    _serving_fake: tuple[RunningFake, MovableClock],
) -> AsyncIterator[Gateway]:
    """The gateway for a whole module, whose tests are marked to run on the module's own loop."""
    fake, _ = _serving_fake
    fake.state.reset()
    settings = settings_for(shared_url, tmp_path_factory.mktemp("keys"), fake)
    async with open_gateway(settings, fake) as opened:
        await set_up_programme(now=NOW)
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(shared_gateway: Gateway, fake: RunningFake) -> Gateway:
    """The shared gateway, at NOW, with people and a shop whom no other test has met."""
    shared_gateway.clock.moment = NOW
    own = replace(shared_gateway, tag=f"-{next(_TESTS)}")
    await open_shop(own.named(SHOP), now=NOW)
    return own


@dataclass(frozen=True, slots=True)
class Scene:
    """A gateway whom nothing may change any more: two members, one of whom bought once."""

    gateway: Gateway
    alice: Session
    bob: Session
    shop: str
    kept: Kept

    async def assert_unchanged(self) -> None:
        """Not a row of any table is different from how it was."""
        assert await everything_kept() == self.kept


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(shared_gateway: Gateway) -> Scene:
    """A scene for all tests of a module."""
    alice = await shared_gateway.sign_in("o-alice")
    await record(shared_gateway, "the-first", [order("A", alice.member_id)])
    return Scene(
        gateway=shared_gateway,
        alice=alice,
        bob=await shared_gateway.sign_in("o-bob"),
        shop=await shared_gateway.shop(),
        kept=await everything_kept(),
    )


@pytest.fixture
async def bare_gateway(
    database_url: str, tmp_path: Path, fake: RunningFake
) -> AsyncIterator[Gateway]:
    """The gateway over a database of its own, in which nothing was set up."""
    async with open_gateway(settings_for(database_url, tmp_path, fake), fake) as opened:
        yield opened


@pytest.fixture
async def own_gateway(bare_gateway: Gateway) -> Gateway:
    """The gateway of the programme of these tests, over a database of its own."""
    await set_up_programme(now=NOW)
    return bare_gateway
