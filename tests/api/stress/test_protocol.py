"""The head of a request: bounded in time and in size, on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from api.stress.protocol import HEAD_BYTES_MAX, BoundedHttpProtocol

HEAD_S_MAX = 0.3
WHOLE = b"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
ANSWERED = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True, slots=True)
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> bytes:
        """The next answer, whose body is `here`."""
        async with asyncio.timeout(2):
            return await self.reader.readuntil(b"\r\n\r\nhere")

    async def closed(self) -> tuple[bytes, float]:
        """What else comes until the server closes the connection, and after how long it does."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(2):
            rest = await self.reader.read()
        return rest, loop.time() - began


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[uvicorn.Server]:
    """A server with this protocol."""
    monkeypatch.setattr("api.stress.protocol.HEAD_S_MAX", HEAD_S_MAX)

    async def here(_: Request) -> Response:
        return Response("here")

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        Starlette(routes=[Route("/", here), WebSocketRoute("/echo", echo)]),
        http=BoundedHttpProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    config.port = listener.getsockname()[1]
    yield server
    server.should_exit = True
    await serving


@pytest.fixture
def port(server: uvicorn.Server) -> int:
    """Where it listens."""
    return server.config.port


@pytest.fixture
async def client(port: int) -> AsyncIterator[Client]:
    """A connection to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Client(reader, writer)
    writer.close()
    await writer.wait_closed()


async def test_who_asks_for_nothing_is_closed(client: Client) -> None:
    rest, seconds = await client.closed()
    assert rest == b""
    assert HEAD_S_MAX * 0.9 < seconds < 1


async def test_a_head_that_comes_too_slowly_is_closed(client: Client) -> None:
    client.writer.write(WHOLE[:20])
    rest, seconds = await client.closed()
    assert rest == b""
    assert seconds < 1


async def test_so_is_a_later_one_on_the_same_connection(client: Client) -> None:
    client.writer.write(WHOLE)
    assert (await client.answer()).startswith(ANSWERED)
    await asyncio.sleep(HEAD_S_MAX * 1.5)  # Between requests a connection may rest for longer.
    client.writer.write(WHOLE + WHOLE[:20])
    assert (await client.answer()).startswith(ANSWERED)
    rest, seconds = await client.closed()
    assert rest == b""
    assert seconds < 1


@pytest.mark.parametrize("where", ["path", "header", "headers"])
async def test_a_head_that_is_too_large_is_refused(client: Client, where: str) -> None:
    much = b"x" * HEAD_BYTES_MAX
    many = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1_000) for number in range(70))
    client.writer.write(
        {
            "path": b"GET /" + much + b" HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
            "header": WHOLE[:-2] + b"x: " + much + b"\r\n\r\n",
            "headers": WHOLE[:-2] + many + b"\r\n",
        }[where]
    )
    rest, _ = await client.closed()
    assert rest.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert rest.endswith(b"Invalid HTTP request received.")


async def test_a_large_head_within_the_bound_is_taken(client: Client) -> None:
    client.writer.write(WHOLE[:-2] + b"x: " + b"y" * 60_000 + b"\r\n\r\n")
    assert (await client.answer()).startswith(ANSWERED)


async def test_who_has_just_connected_may_still_ask_once_when_the_server_ends(
    server: uvicorn.Server, client: Client
) -> None:
    # It has been accepted once it is seen; it has asked for nothing yet.
    async with asyncio.timeout(2):
        while not server.server_state.connections:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.001)
    server.should_exit = True
    async with asyncio.timeout(2):
        while server.servers[0].is_serving():  # noqa: ASYNC110 - nor here
            await asyncio.sleep(0.001)
    client.writer.write(WHOLE)
    answer, _ = await client.closed()
    assert answer.startswith(ANSWERED)
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"here")


async def test_who_does_not_is_closed_with_the_server(
    server: uvicorn.Server, client: Client
) -> None:
    server.should_exit = True
    rest, seconds = await client.closed()
    assert rest == b""
    assert seconds < 1


async def test_sockets_outlive_the_bound(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/echo", compression=None) as websocket:
        await asyncio.sleep(HEAD_S_MAX * 2)
        await websocket.send("still here")
        assert await websocket.recv() == "still here"
