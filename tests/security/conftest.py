"""The target as a fixture, once for each module, on PostgreSQL as production has it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from api.fake_wechat import RunningFake
from domain.access import create_key_set
from domain.members import create_phone_keys
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.domain.wechat import fixtures as wechat
from tests.domain.wechat.mini_program import MovableClock
from tests.graphql.gateway import NOW, open_gateway, settings_for
from tests.graphql.programme import set_up_programme
from tests.security.target import Target, production, served
from tests.servers import PostgresDatabases

_serving_fake = wechat._serving_fake


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(
    tmp_path_factory: pytest.TempPathFactory,
    _postgres_databases: PostgresDatabases | str,
    _serving_fake: tuple[RunningFake, MovableClock],
    report: ClosingReport,
) -> AsyncIterator[Target]:
    if isinstance(_postgres_databases, str):
        part_is_missing(report, "postgresql", _postgres_databases)
    fake, _ = _serving_fake
    fake.state.reset()
    with _postgres_databases.fresh() as url:
        settings = production(settings_for(url, tmp_path_factory.mktemp("keys"), fake))
        create_key_set(settings.key_set_path, now=NOW)
        create_phone_keys(settings.phone_keys_file, now=NOW)
        async with open_gateway(settings, fake) as gateway, served(gateway, settings) as port:
            await set_up_programme(now=NOW)
            alice = await gateway.sign_in()
            tokens = {
                "nobody": None,
                "member": alice.access_token,
                "shop": await gateway.shop(),
                "staff": await gateway.staff(),
            }
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                yield Target(gateway=gateway, http=http, port=port, tokens=tokens)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nothing_found(target: Target) -> AsyncIterator[None]:
    """No answer of the test shows what no answer may show."""
    known = len(target.findings)
    yield
    assert target.findings[known:] == []
