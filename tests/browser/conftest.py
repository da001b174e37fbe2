"""One Chromium for all tests of this folder, and the gateway that it looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from api.demo import demo_file
from tests.browser.chromium import Browser, Page, find_chromium, running_chromium
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.domain.wechat import fixtures as wechat
from tests.graphql import conftest
from tests.graphql.gateway import Gateway, Session
from tests.streaming.serving import serving

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake
bare_gateway = conftest.bare_gateway
own_gateway = conftest.own_gateway


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What a browser shows is the same on both databases."""
    return sqlite_url


@pytest.fixture
def chromium(report: ClosingReport) -> str:
    """The program; its tests are left out, and that is told, where there is none."""
    program = find_chromium()
    if program is None:
        part_is_missing(report, "chromium", "no chromium on PATH")
    report.parts["chromium"] = "from PATH"
    return program


@pytest_asyncio.fixture
async def browser(chromium: str, tmp_path: Path) -> AsyncIterator[Browser]:
    async with running_chromium(chromium, tmp_path / "profile") as running:
        yield running


@pytest_asyncio.fixture
async def page(browser: Browser) -> Page:
    return await browser.page()


@dataclass(frozen=True, slots=True)
class Site:
    """The gateway of a running demo, on a port that a browser can ask."""

    gateway: Gateway
    session: Session
    url: str
    host: str


@pytest_asyncio.fixture
async def site(
    own_gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    session = await own_gateway.sign_in()
    async with serving(own_gateway.app) as host:
        demo = {
            "graphqlUrl": f"http://{host}/graphql",
            "memberToken": session.access_token,
            "memberIds": [session.member_id],
            "shopToken": await own_gateway.shop(),
        }
        file = tmp_path / "demo.json"
        file.write_bytes(orjson.dumps(demo))
        monkeypatch.setattr(demo_file, "DEMO_FILE", file)
        yield Site(own_gateway, session, f"http://{host}", host)
