"""Fixtures of the fake WeChat, for every folder whose tests talk to it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from api.fake_wechat import RunningFake, running_fake_wechat
from tests.domain.wechat.mini_program import APPS, MiniProgram, MovableClock

_CERTIFICATES = ssl.create_default_context()


@pytest.fixture(scope="module")
def _serving_fake() -> Iterator[tuple[RunningFake, MovableClock]]:
    clock = MovableClock()
    with running_fake_wechat(APPS, clock=clock) as fake:
        yield fake, clock


@pytest.fixture
def clock(_serving_fake: tuple[RunningFake, MovableClock]) -> MovableClock:
    """The clock of the fake, put back to its start."""
    clock = _serving_fake[1]
    clock.now = MovableClock().now
    return clock


@pytest.fixture
def fake(_serving_fake: tuple[RunningFake, MovableClock], clock: MovableClock) -> RunningFake:
    """A fake WeChat on loopback that knows nobody yet."""
    assert clock is _serving_fake[1]
    _serving_fake[0].state.reset()
    return _serving_fake[0]


@pytest.fixture
async def phone(fake: RunningFake) -> AsyncIterator[MiniProgram]:
    """The user's phone."""
    async with quick_http(base_url=fake.base_url) as http:
        yield MiniProgram(http)


def quick_http(*, base_url: str = "") -> httpx.AsyncClient:
    """An HTTP client that does not read the machine's certificates anew, which takes 30 ms."""
    return httpx.AsyncClient(base_url=base_url, trust_env=False, verify=_CERTIFICATES)
