"""Leaving in order, within one process; real processes are ended in tests/faults."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message
from structlog.testing import capture_logs

from api.logs import configure_logs
from api.stress.draining import Draining, heeding_signals, leaving_in_order
from tests.api.gateway import Parts, development_settings, open_gateway

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Server:
    """Handles signals as uvicorn does: it notes them."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def handle(self, number: int, frame: FrameType | None) -> None:
        self.heard.append(number)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that handles both signals, for the time of the test."""
    handling = Server()
    before = {number: signal.signal(number, handling.handle) for number in SIGNALS}
    yield handling
    for number, handler in before.items():
        signal.signal(number, handler)


async def sent_by(app: ASGIApp, path: str) -> list[Message]:
    """All that the application sends in answer to a GET, whether or not it comes to an end."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("nobody sends anything")

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_begins_the_drain_at_once_and_reaches_the_server_a_moment_later(
    server: Server, number: signal.Signals
) -> None:
    draining = Draining()
    loop = asyncio.get_running_loop()
    with heeding_signals(draining, notice_s=0.03):
        os.kill(os.getpid(), number)
        began = loop.time()
        await draining.begun.wait()
        assert server.heard == []
        assert draining.ends_at == pytest.approx(began + 10, abs=0.05)
        await asyncio.sleep(0.06)
        assert server.heard == [number]
    assert [signal.getsignal(one) for one in SIGNALS] == [server.handle] * 2


async def test_a_second_signal_is_handed_on_at_once(server: Server) -> None:
    with heeding_signals(Draining(), notice_s=60):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0)
        assert server.heard == [signal.SIGTERM, signal.SIGINT]


async def test_who_does_not_end_with_the_drain_is_not_waited_for(server: Server) -> None:
    """uvicorn takes an interrupt after another signal as: wait for nobody."""
    with heeding_signals(Draining(drain_s=-0.49), notice_s=0):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
        assert server.heard == [signal.SIGTERM, signal.SIGINT]


async def test_without_a_server_signals_stay_as_they_are() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with heeding_signals(Draining()):
        assert [signal.getsignal(number) for number in SIGNALS] == before


async def test_closing_is_not_waited_for_beyond_the_drain() -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[str]:
        yield "open"
        await asyncio.Event().wait()  # A database that hangs.

    loop = asyncio.get_running_loop()
    began = loop.time()
    draining = Draining(drain_s=-0.95)
    configure_logs(production=False, level="warning")
    with capture_logs() as logs:
        async with leaving_in_order(opened(), draining) as what:
            assert what == "open"
    assert draining.begun.is_set()
    assert 0.04 < loop.time() - began < 0.5
    assert "closing_took_too_long" in {line["event"] for line in logs}


async def test_readiness_ends_with_the_drain_and_life_goes_on(tmp_path: Path) -> None:
    async with open_gateway(development_settings(), tmp_path) as gateway:
        assert (await gateway.http.get("/readyz")).json()["status"] == "ready"
        gateway.app.state.draining.begin()
        ready = await gateway.http.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "draining", "checks": {}})
        assert (await gateway.http.get("/livez")).status_code == 200


async def test_answers_during_the_drain_are_the_last_on_their_connection(tmp_path: Path) -> None:
    async with open_gateway(development_settings(), tmp_path) as gateway:
        before = await gateway.post("{ __typename }")
        gateway.app.state.draining.begin()
        after = await gateway.post("{ __typename }")
        assert before.json() == after.json() == {"data": {"__typename": "Query"}}
        assert "connection" not in before.headers
        assert after.headers["connection"] == "close"


async def test_what_still_runs_at_the_end_of_the_drain_is_cut_short(tmp_path: Path) -> None:
    """A request is answered 504, a stream ends where it is."""
    ended: list[str] = []
    running = asyncio.Queue[None]()

    async def hold(request: Request) -> Response:
        try:
            running.put_nowait(None)
            await asyncio.Event().wait()
        finally:
            ended.append("request")
        raise AssertionError("it is cancelled")

    async def stream(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                yield b"begun"
                running.put_nowait(None)
                await asyncio.Event().wait()
            finally:
                ended.append("stream")

        return StreamingResponse(pieces())

    parts = Parts(routes=(Route("/hold", hold), Route("/stream", stream)))
    settings = development_settings(stress={"drain_s": 0.05})
    async with open_gateway(settings, tmp_path, parts) as gateway:
        held = asyncio.create_task(gateway.http.get("/hold"))
        streamed = asyncio.create_task(sent_by(gateway.app, "/stream"))
        for _ in (held, streamed):
            await running.get()
        gateway.app.state.draining.begin()
        answer = (await held).json()
        assert answer["errors"][0]["extensions"]["code"] == "DEADLINE_EXCEEDED"
        assert [message.get("body") for message in await streamed] == [None, b"begun"]
        assert sorted(ended) == ["request", "stream"]
        assert gateway.app.state.places.inside == 0
