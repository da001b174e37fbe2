"""Operations of sockets and streams that wait for WeChat leave their places to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from api.fake_wechat import DEMO_APP_ID
from api.stress.places import Places
from tests.graphql.operations import operation
from tests.streaming.conftest import Serve
from tests.streaming.serving import SOON_S, Served
from tests.streaming.test_event_streams import stream

SIGN_IN = operation("SignInWithWeChat")
PLACES = 8


@asynccontextmanager
async def asked(served: Served, transport: str, variables: dict[str, Any]) -> AsyncIterator[None]:
    """Ask to be signed in, and wait for the answer no longer than the block lasts."""
    async with AsyncExitStack() as stack:
        if transport == "websocket":
            peer = await stack.enter_async_context(served.ready())
            await peer.ask(SIGN_IN, variables=variables)
        else:
            await stack.enter_async_context(stream(served, SIGN_IN, variables=variables))
        yield


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_who_waits_for_wechat_holds_no_place(serve_on_sqlite: Serve, transport: str) -> None:
    async with serve_on_sqlite() as served, AsyncExitStack() as stack:
        gateway = served.gateway
        codes = [await gateway.login(f"o-{number}") for number in range(PLACES)]
        await gateway.phone.break_endpoint("jscode2session", slow=60)
        for code in codes:
            variables = {"input": {"appId": DEMO_APP_ID, "code": code}}
            await stack.enter_async_context(asked(served, transport, variables))
        async with asyncio.timeout(SOON_S):
            while (await gateway.phone.calls()).get("jscode2session") != PLACES:
                continue
        places: Places = gateway.app.state.places
        assert (places.executing, places.inside) == (0, PLACES)
