"""The gateway as a fixture, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from api.fake_wechat import RunningFake
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.domain.wechat import fixtures as wechat
from tests.domain.wechat.mini_program import MovableClock
from tests.graphql.gateway import Gateway, Session, open_gateway, settings_for
from tests.graphql.kept import Kept, everything_kept
from tests.graphql.orders import order, record
from tests.graphql.programme import set_up_programme
from tests.servers import PostgresDatabases, SqliteDatabases

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


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def scene_url(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    _sqlite_databases: SqliteDatabases,
    _postgres_databases: PostgresDatabases | str,
    report: ClosingReport,
) -> Iterator[str]:
    """A database for a whole module, on each engine."""
    if request.param == "sqlite":
        yield _sqlite_databases.fresh(tmp_path_factory.mktemp("scene"))
    elif isinstance(_postgres_databases, str):
        part_is_missing(report, "postgresql", _postgres_databases)
    else:
        with _postgres_databases.fresh() as url:
            yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(
    scene_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    _serving_fake: tuple[RunningFake, MovableClock],
) -> AsyncIterator[Scene]:
    """A scene for all tests of a module; they run on the module's own loop."""
    fake, _ = _serving_fake
    fake.state.reset()
    settings = settings_for(scene_url, tmp_path_factory.mktemp("keys"), fake)
    async with open_gateway(settings, fake) as gateway:
        await set_up_programme(now=gateway.clock.now())
        alice = await gateway.sign_in("o-alice")
        await record(gateway, "the-first", [order("A", alice.member_id)])
        yield Scene(
            gateway=gateway,
            alice=alice,
            bob=await gateway.sign_in("o-bob"),
            shop=await gateway.shop(),
            kept=await everything_kept(),
        )
