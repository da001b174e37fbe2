"""Who asks is looked up within the time that the operation has, also on a connection."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

from api.runtime import Runtime
from api.stress.settings import StressSettings
from domain.access import Caller
from tests.streaming.conftest import Serve
from tests.streaming.serving import NAMES, Served

# Long enough for what is answered here on a busy machine, sign-in among it; only hangs wait it out.
REQUEST_S_MAX = 2.0


async def hang(caller: Caller, now: datetime) -> None:
    """A database that never answers."""
    await asyncio.Event().wait()


def look_up_hangs(served: Served) -> Runtime:
    """From now on; returns what the gateway had before."""
    before: Runtime = served.gateway.app.state.runtime
    served.gateway.app.state.runtime = replace(before, confirm=hang)
    return before


async def test_a_look_up_that_hangs_ends_with_the_operation(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite(stress=StressSettings(request_s_max=REQUEST_S_MAX)) as served:
        alice = await served.gateway.sign_in()
        async with served.ready(alice.access_token) as peer:
            before = look_up_hangs(served)
            await peer.ask(NAMES)
            refusal = await peer.refusal()
            assert (refusal["code"], refusal["outcome"]) == ("DEADLINE_EXCEEDED", "NONE")
            served.gateway.app.state.runtime = before
            assert (await peer.answer(NAMES))["data"]["program"]["currency"] == "CNY"


async def test_a_connection_whose_look_up_hangs_is_told_to_come_later(
    serve_on_sqlite: Serve,
) -> None:
    async with serve_on_sqlite(stress=StressSettings(request_s_max=REQUEST_S_MAX)) as served:
        alice = await served.gateway.sign_in()
        look_up_hangs(served)
        async with served.peer() as peer:
            await peer.say(type="connection_init", payload={"token": alice.access_token})
            code, reason = await peer.ending()
        assert code == 1013
        assert reason is not None
        assert reason.startswith("The answer was not ready in time. Nothing was changed")
