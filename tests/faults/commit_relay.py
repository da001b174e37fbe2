"""A relay before PostgreSQL that lets COMMIT through and loses the answer to it.

The database has committed then, and says so; whoever asked never learns it. It reads the protocol
just far enough: COMMIT is a simple query of the driver's, and its answer names the command.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from typing_extensions import override

from tests.servers.relay import Relay

_ASKED: Final = b"COMMIT;\x00"
_DONE: Final = b"COMMIT\x00"
_ANSWER_MAX: Final = 65_536


class CommitRelay(Relay):
    """Relays PostgreSQL. While `losing`, each connection that commits ends without its answer."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.losing = 0
        """How many more answers are to be lost."""
        self.lost = 0
        """How many answers that said COMMIT were lost."""
        self._asking: set[asyncio.StreamWriter] = set()

    @override
    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._open |= {writer, far_writer}
        there = asyncio.create_task(self._ask(reader, far_writer))
        back = asyncio.create_task(self._answer(far_reader, writer, far_writer))
        try:
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in (there, back):
                direction.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            self._open -= {writer, far_writer}
            self._asking.discard(far_writer)
            for ended in (writer, far_writer):
                ended.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                if self.losing and piece.endswith(_ASKED):
                    self.losing -= 1
                    self._asking.add(far)
                far.write(piece)
                await far.drain()

    async def _answer(
        self,
        far_reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far: asyncio.StreamWriter,
    ) -> None:
        with suppress(OSError):
            kept = b""
            while piece := await far_reader.read(65_536):
                if far not in self._asking:
                    writer.write(piece)
                    await writer.drain()
                    continue
                kept += piece
                if _DONE in kept:
                    self.lost += 1
                    return
                assert len(kept) < _ANSWER_MAX, "the answer to COMMIT is short"


@asynccontextmanager
async def losing_commits(url: str) -> AsyncIterator[tuple[CommitRelay, str]]:
    """A relay before the server of a URL, and the URL through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with CommitRelay(parts.hostname, parts.port) as relay:
        host = parts.netloc.rpartition("@")[0]
        netloc = f"{host}@127.0.0.1:{relay.port}"
        yield relay, urlunsplit(parts._replace(netloc=netloc))
