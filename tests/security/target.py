"""The target: a gateway in production mode behind its real HTTP server, and its users."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from api.rates.settings import CAPACITY_MAX, BucketSettings, RateSettings
from api.settings import Settings
from api.stress.server import configuration
from tests.graphql.gateway import Gateway
from tests.security.findings import general_findings

OPERATIONS = ("member", "shop", "partner", "staff", "address")


def production(settings: Settings) -> Settings:
    """The same in production mode. What one machine has to stand in for is left as it is.

    Operations are not counted here, so that no probe is turned away for being one too many; logins
    and refreshes are, with a small bucket.
    """
    plenty = BucketSettings(capacity=CAPACITY_MAX, restored_per_minute=CAPACITY_MAX)
    few = BucketSettings(capacity=20, restored_per_minute=1)
    rates = RateSettings(sign_in=few).model_copy(update=dict.fromkeys(OPERATIONS, plenty))
    return settings.model_copy(
        update={"environment": "production", "rates": rates, "log_level": "info"}
    )


@dataclass(slots=True)
class Target:
    """The server, the people whom it knows, and what was found wrong so far."""

    gateway: Gateway
    http: httpx.AsyncClient
    port: int
    tokens: Mapping[str, str | None]
    probes: int = 0
    findings: list[str] = field(default_factory=list)

    async def send(
        self, *, by: str = "nobody", method: str = "POST", path: str = "/graphql", **request: Any
    ) -> httpx.Response:
        """Send a request; whatever is generally wrong with the answer is noted."""
        token = self.tokens[by]
        headers = {**({"authorization": f"Bearer {token}"} if token else {})}
        headers |= request.pop("headers", {})
        response = await self.http.request(method, path, headers=headers, **request)
        self.probes += 1
        asked = str(request)[:300]
        self.findings += [f"{asked}: {found}" for found in general_findings(response)]
        return response

    async def ask(self, query: str, *, by: str = "nobody", **members: Any) -> httpx.Response:
        """Send a document."""
        accept = {"accept": "application/graphql-response+json"}
        return await self.send(by=by, json={"query": query, **members}, headers=accept)

    async def code(self, query: str, *, by: str = "nobody", **members: Any) -> str | None:
        """The code by which a document is refused as a whole; None when it is answered."""
        return code_of(await self.ask(query, by=by, **members))

    async def raw(self, *lines: bytes, body: bytes = b"") -> bytes:
        """Send bytes as they are; returns all that comes back until the server closes."""
        return await self._exchanged([*lines, b"connection: close", b"", body], to_the_end=True)

    async def upgrade(self, *lines: bytes) -> bytes:
        """Ask for a WebSocket; returns the head of the answer."""
        wanted = [b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13"]
        key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
        return await self._exchanged([*lines, *wanted, key, b"", b""], to_the_end=False)

    async def _exchanged(self, lines: list[bytes], *, to_the_end: bool) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"\r\n".join(lines))
            await writer.drain()
            async with asyncio.timeout(10):
                answer = await (reader.read() if to_the_end else reader.readuntil(b"\r\n\r\n"))
        finally:
            writer.close()
        self.probes += 1
        return answer


def code_of(response: httpx.Response) -> str | None:
    """The code of an answer without data; None for one with data."""
    body = response.json()
    if "data" in body:
        return None
    code: str = body["errors"][0]["extensions"]["code"]
    return code


class _Server(uvicorn.Server):
    """A server inside a test: signals stay the test runner's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(gateway: Gateway, settings: Settings) -> AsyncIterator[int]:
    """Serve the gateway's application over HTTP as production does; gives the port."""
    config = configuration(settings)
    config.app = gateway.app
    config.lifespan = "off"  # The gateway runs it.
    # Named as TCP, or asyncio leaves answers waiting for acknowledgements, 40 ms each.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await server.up.wait()
        yield listening.getsockname()[1]
        server.should_exit = True
        await serving
