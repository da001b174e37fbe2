"""A TCP relay before a server: what passes through it can be held up, cut off, or let go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self
from urllib.parse import urlsplit, urlunsplit


class Relay:
    """Relays one port of this machine. `frozen` holds every byte up; `cut` closes what is open."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.connections = 0
        """How many were ever opened."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        for serving in list(self._serving):
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def freeze(self) -> None:
        """Hold up whatever comes from either side; connections are still taken."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Let it go on."""
        self._flowing.set()

    def cut(self) -> None:
        """Close every connection that is open."""
        for writer in list(self._open):
            writer.transport.abort()

    async def refuse(self) -> None:
        """Close every connection, and take no more."""
        if self._server is not None:
            self._server.close()
            self.cut()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        self._serving.add(task)
        try:
            await self._flowing.wait()
            await self._relay(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # The server behind is gone, or the relay is closed: asyncio logs what is raised.
        finally:
            self._serving.discard(task)
            await _closed(writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._open |= {writer, far_writer}
        there = asyncio.create_task(self._pass(reader, far_writer))
        back = asyncio.create_task(self._pass(far_reader, writer))
        try:
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in (there, back):
                direction.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            self._open -= {writer, far_writer}
            await _closed(far_writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(piece)
                await writer.drain()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def relayed(url: str) -> AsyncIterator[tuple[Relay, str]]:
    """A relay before the server of a URL, and the URL through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with Relay(parts.hostname, parts.port) as relay:
        host = parts.netloc.rpartition("@")[0]
        netloc = f"{host}@127.0.0.1:{relay.port}" if host else f"127.0.0.1:{relay.port}"
        yield relay, urlunsplit(parts._replace(netloc=netloc))
