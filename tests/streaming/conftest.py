"""Served gateways as fixtures.

Tests share the gateway of their module, each with people of its own; those that change what
everybody meets, or need other settings, have one of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from api.fake_wechat import RunningFake
from api.streaming.settings import StreamingSettings
from tests.domain.wechat import fixtures as wechat
from tests.domain.wechat.mini_program import MovableClock
from tests.graphql import conftest as graphql
from tests.graphql.gateway import NOW, open_gateway, settings_for
from tests.graphql.programme import SHOP, open_shop, set_up_programme
from tests.servers import SqliteDatabases
from tests.streaming.serving import Served, serving

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake
shared_url = graphql.shared_url

_TESTS = count(1)


class Serve(Protocol):
    """Serves a gateway with some settings changed."""

    def __call__(
        self, *, streaming: dict[str, Any] | None = None, **settings: Any
    ) -> AbstractAsyncContextManager[Served]: ...


def serve_with(database_url: str, folder: Path, fake: RunningFake) -> Serve:
    @asynccontextmanager
    async def serve(
        *, streaming: dict[str, Any] | None = None, **settings: Any
    ) -> AsyncIterator[Served]:
        changed = settings_for(database_url, folder, fake).model_copy(
            update={"streaming": StreamingSettings(**(streaming or {})), **settings}
        )
        async with open_gateway(changed, fake) as gateway, serving(gateway.app) as address:
            await set_up_programme(now=NOW)
            yield Served(gateway=gateway, address=address)

    return serve


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_on_each(
    shared_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    _serving_fake: tuple[RunningFake, MovableClock],
) -> AsyncIterator[Served]:
    """A gateway for a whole module, whose tests run on the module's own loop and each database."""
    folder = tmp_path_factory.mktemp("shared")
    async with serve_with(shared_url, folder, _serving_fake[0])() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_on_sqlite(
    request: pytest.FixtureRequest,
    _sqlite_databases: SqliteDatabases,
    tmp_path_factory: pytest.TempPathFactory,
    _serving_fake: tuple[RunningFake, MovableClock],
) -> AsyncIterator[Served]:
    """The same on SQLite alone; the module's `STREAMING` are its settings."""
    folder = tmp_path_factory.mktemp("shared")
    url = _sqlite_databases.fresh(folder)
    streaming = getattr(request.module, "STREAMING", None)
    async with serve_with(url, folder, _serving_fake[0])(streaming=streaming) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def served(shared_on_each: Served) -> Served:
    """The shared gateway on each database, with people and a shop whom no other test has met."""
    return await with_people_of_its_own(shared_on_each)


@pytest_asyncio.fixture(loop_scope="module")
async def shared(shared_on_sqlite: Served) -> Served:
    """The shared gateway on SQLite, with people and a shop whom no other test has met."""
    return await with_people_of_its_own(shared_on_sqlite)


async def with_people_of_its_own(served: Served) -> Served:
    own = replace(served.gateway, tag=f"-{next(_TESTS)}")
    await open_shop(own.named(SHOP), now=NOW)
    return replace(served, gateway=own)


@pytest.fixture
def serve_on_sqlite(sqlite_url: str, tmp_path: Path, fake: RunningFake) -> Serve:
    """Serves a gateway of a test's own."""
    return serve_with(sqlite_url, tmp_path, fake)


@pytest.fixture
async def served_on_sqlite(serve_on_sqlite: Serve) -> AsyncIterator[Served]:
    """A gateway of a test's own, with the settings it has by default."""
    async with serve_on_sqlite() as one:
        yield one
