"""The gateway behind a real server on a loopback port, and who talks to it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from api.streaming.connections import Connections
from api.streaming.protocol import LightSocketProtocol
from domain.access import CallerKind
from domain.outbox import Live
from tests.graphql.gateway import Gateway, Session

PROTOCOL: Final = Subprotocol("graphql-transport-ws")
SOON_S: Final = 5.0
"""What is to come at once has come within this time, on a busy machine too."""

NAMES: Final = "{ program { name currency } }"
FOLLOW: Final = """
    subscription PointsChanged($since: String) {
      pointsChanged(since: $since) {
        cursor version available entry { id kind amount reason occurredAt }
      }
    }
"""


@asynccontextmanager
async def serving(
    app: Starlette, *, protocol: type[asyncio.Protocol] = LightSocketProtocol
) -> AsyncIterator[str]:
    """Serve an application whose lifespan runs already; gives `host:port`."""
    listener = socket.create_server(("127.0.0.1", 0))
    # Accepted connections inherit it: a peer that does not read is noticed soon.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_192)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        ws=protocol,
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)
    serve = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started or serve.done())
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serve


async def until(there: Callable[[], bool]) -> None:
    """Let this process go on until something is so."""
    async with asyncio.timeout(SOON_S):
        for _ in count():
            if there():
                return
            await asyncio.sleep(0)


class Peer:
    """A client of graphql-transport-ws that says exactly what it is told to."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **message: Any) -> None:
        """Send one message."""
        await self.connection.send(json.dumps(message))

    async def hear(self) -> Any:
        """The next message."""
        async with asyncio.timeout(SOON_S):
            return json.loads(await self.connection.recv())

    async def initialise(self, token: str | None = None, **payload: Any) -> None:
        """Initialise the connection, which is accepted."""
        if token is not None:
            payload["authorization"] = f"Bearer {token}"
        await self.say(type="connection_init", payload=payload)
        assert await self.hear() == {"type": "connection_ack"}

    async def ask(self, query: str, *, id: str = "1", **payload: Any) -> None:
        """Begin an operation."""
        await self.say(type="subscribe", id=id, payload={"query": query, **payload})

    async def follow(self, since: str | None = None, *, id: str = "1") -> None:
        """Begin to follow the member's points."""
        await self.ask(FOLLOW, id=id, variables={"since": since})

    async def event(self) -> Any:
        """The next event of the only subscription."""
        message = await self.hear()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]["pointsChanged"]

    async def answer(self, query: str, **payload: Any) -> Any:
        """The one result of an operation, which is complete after it."""
        await self.ask(query, id="once", **payload)
        result = await self.hear()
        assert result["type"] == "next", result
        assert await self.hear() == {"type": "complete", "id": "once"}
        return result["payload"]

    async def refusal(self, id: str = "1") -> Any:
        """The extensions of the one error that an operation ends with."""
        message = await self.hear()
        assert (message["type"], message["id"]) == ("error", id), message
        [error] = message["payload"]
        return error["extensions"]

    async def rest(self) -> AsyncIterator[Any]:
        """The events of the only subscription that still come, until the connection is over."""
        with suppress(ConnectionClosed):
            while True:
                message = json.loads(await self.connection.recv())
                yield message["payload"]["data"]["pointsChanged"]

    async def ending(self) -> tuple[int | None, str | None]:
        """The close code and reason with which the server ends the connection."""
        async with asyncio.timeout(SOON_S):
            try:
                while True:
                    await self.connection.recv()
            except ConnectionClosed:
                return self.connection.close_code, self.connection.close_reason


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway, and where it is served."""

    gateway: Gateway
    address: str

    @asynccontextmanager
    async def peer(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        protocols: list[Subprotocol] | None = None,
        **options: Any,
    ) -> AsyncIterator[Peer]:
        """A connection, not initialised yet."""
        async with connect(
            f"ws://{self.address}/graphql",
            subprotocols=[PROTOCOL] if protocols is None else protocols or None,
            additional_headers=dict(headers or {}),
            compression=None,
            ping_interval=None,
            # Or a client that has unread messages waits for ten seconds before it can close.
            max_queue=None,
            **options,
        ) as connection:
            yield Peer(connection)

    @asynccontextmanager
    async def slow_peer(self) -> AsyncIterator[Peer]:
        """One for whom hardly anything is kept on the way."""
        host, _, port = self.address.partition(":")
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.connect((host, int(port)))
        line.setblocking(False)
        async with self.peer(sock=line) as peer:
            yield peer

    @asynccontextmanager
    async def about_to_expire(self, session: Session) -> AsyncIterator[str]:
        """A token of the session that is good for a moment only."""
        tokens, clock = self.gateway.tokens, self.gateway.clock
        caller = tokens.verify(session.access_token, clock.now())
        token, expires_at = tokens.issue(
            CallerKind.MEMBER,
            caller.subject,
            session_id=caller.session_id,
            ttl=timedelta(seconds=1),
            now=clock.now(),
        )
        before, clock.moment = clock.moment, expires_at - timedelta(milliseconds=200)
        try:
            yield token
        finally:
            clock.moment = before

    @property
    def connections(self) -> Connections:
        """The connections that the gateway holds open."""
        connections: Connections = self.gateway.app.state.connections
        return connections

    @asynccontextmanager
    async def ready(self, token: str | None = None) -> AsyncIterator[Peer]:
        """A connection that is initialised, with this token."""
        async with self.peer() as peer:
            await peer.initialise(token)
            yield peer

    async def until_followed(self, streams: int = 1) -> None:
        """Wait until so many streams are followed: what happens from now on will be told."""
        live: Live = self.gateway.app.state.runtime.services.live
        await until(lambda: live.followed == streams)

    async def until_followed_by(self, followers: int) -> None:
        """Wait until the streams have so many followers."""
        live: Live = self.gateway.app.state.runtime.services.live
        await until(lambda: live.followers == followers)

    async def refused(self, **headers: str) -> int:
        """The status with which the server refuses the handshake."""
        try:
            async with self.peer(headers=headers):
                raise AssertionError("the handshake was accepted")
        except InvalidStatus as refusal:
            return int(refusal.response.status_code)
