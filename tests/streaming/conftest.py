"""Served gateways as fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from api.fake_wechat import RunningFake
from api.streaming.settings import StreamingSettings
from tests.domain.wechat import fixtures as wechat
from tests.domain.wechat.mini_program import MovableClock
from tests.graphql.gateway import NOW, open_gateway, settings_for
from tests.graphql.programme import set_up_programme
from tests.servers import SqliteDatabases
from tests.streaming.serving import Served, serving

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake


QUICK = {"init_s_max": 0.2}
"""Settings with which what takes long takes little."""


class Serve(Protocol):
    """Serves a gateway with some settings changed."""

    def __call__(
        self, *, streaming: dict[str, Any] | None = None, **settings: Any
    ) -> AbstractAsyncContextManager[Served]: ...


@pytest.fixture
def serve(database_url: str, tmp_path: Path, fake: RunningFake) -> Serve:
    """Serves the gateway of the programme of these tests, on each database."""
    return serve_with(database_url, tmp_path, fake)


@pytest.fixture
def serve_on_sqlite(sqlite_url: str, tmp_path: Path, fake: RunningFake) -> Serve:
    """The same where the database makes no difference."""
    return serve_with(sqlite_url, tmp_path, fake)


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
async def shared(
    _sqlite_databases: SqliteDatabases,
    tmp_path_factory: pytest.TempPathFactory,
    _serving_fake: tuple[RunningFake, MovableClock],
) -> AsyncIterator[Served]:
    """A gateway for a whole module, whose tests are marked to run on the module's own loop."""
    fake, _ = _serving_fake
    folder = tmp_path_factory.mktemp("shared")
    async with serve_with(_sqlite_databases.fresh(folder), folder, fake)(streaming=QUICK) as one:
        yield one


@pytest.fixture
async def served(serve: Serve) -> AsyncIterator[Served]:
    """A gateway with the settings it has by default, on each database."""
    async with serve() as one:
        yield one


@pytest.fixture
async def served_on_sqlite(serve_on_sqlite: Serve) -> AsyncIterator[Served]:
    """The same where the database makes no difference."""
    async with serve_on_sqlite() as one:
        yield one
