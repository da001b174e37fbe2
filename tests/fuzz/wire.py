"""HTTP and WebSocket by hand, so that what is sent may be wrong in every byte."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

ANSWER_SECONDS_MAX: Final = 20.0
SILENCE_S: Final = 0.05
"""How long a socket is listened to after it said something."""

BODY_BYTES_MAX: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Status 0: the server closed the connection without a word."""

    status: int
    head: bytes = b""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as bytes. `ends` says that the connection can carry no other after it."""

    raw: bytes
    ends: bool = False
    method: str = "POST"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


def http(
    body: bytes = b"",
    *,
    method: str = "POST",
    target: str = "/graphql",
    headers: Iterable[tuple[str, str | bytes]] = (),
    length: int | None = None,
    ends: bool = False,
) -> Sent:
    """A request whose framing is right unless `length` says otherwise."""
    own = tuple(
        (
            name.encode("latin-1", "replace"),
            value if isinstance(value, bytes) else value.encode("utf-8", "replace"),
        )
        for name, value in headers
    )
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1", "replace"), b"host: localhost"]
    lines.extend(name + b": " + value for name, value in own)
    if body or method != "GET":
        lines.append(b"content-length: %d" % (len(body) if length is None else length))
    raw = b"\r\n".join(lines) + b"\r\n\r\n" + body
    return Sent(raw, ends=ends, method=method, headers=own, body=body)


class Wire:
    """A connection that is opened when it is needed, and again when the server closed it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._place = (parts.hostname, parts.port or 80)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, sent: Sent) -> Answer:
        """The answer to the request; raises TimeoutError when there is none in time."""
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            reader, writer = self._streams or await asyncio.open_connection(*self._place)
            self._streams = None
            keep = False
            try:
                # A server may refuse a large body, and close, before all of it was sent.
                with contextlib.suppress(ConnectionError):
                    writer.write(sent.raw)
                    await writer.drain()
                    if sent.ends:
                        writer.write_eof()
                answer, keep = await _read_answer(reader, method=sent.method)
            except (ConnectionError, asyncio.IncompleteReadError):
                answer = Answer(0)
            finally:
                if keep and not sent.ends:
                    self._streams = reader, writer
                else:
                    writer.close()
        return answer

    async def talk(self, frames: Iterable[bytes], *, protocol: str) -> bytes:
        """All that a WebSocket says to these frames, until it closes or falls silent.

        An upgrade that the server refuses gives its answer instead.
        """
        reader, writer = await asyncio.open_connection(*self._place)
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            writer.write(
                b"GET /graphql HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n"
                b"connection: upgrade\r\nsec-websocket-version: 13\r\n"
                + f"sec-websocket-key: {key}\r\nsec-websocket-protocol: {protocol}\r\n\r\n".encode()
            )
            said = b""
            with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    said = await reader.readuntil(b"\r\n\r\n")
                    for frame in frames:
                        writer.write(frame)
                        await writer.drain()
                while chunk := await asyncio.wait_for(reader.read(65_536), SILENCE_S):
                    said += chunk
            return said
        finally:
            writer.close()

    async def close(self) -> None:
        """Close what is open."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def websocket_frame(
    payload: bytes, *, opcode: int = 1, final: bool = True, masked: bool = True, length: int = -1
) -> bytes:
    """One frame; `length` lies about the payload's."""
    size = len(payload) if length < 0 else length
    first = (0x80 if final else 0) | opcode
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, mask_bit | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    repeated = mask * (len(payload) // 4 + 1)
    return head + mask + bytes(one ^ other for one, other in zip(payload, repeated, strict=False))


async def _read_answer(reader: asyncio.StreamReader, *, method: str) -> tuple[Answer, bool]:
    """The answer, and whether the connection can go on."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    keep = headers.get(b"connection") != b"close"
    if method == "HEAD" or status in {204, 304}:
        return Answer(status, head), keep
    if b"content-length" in headers:
        size = int(headers[b"content-length"])
        return Answer(status, head, await reader.readexactly(size)), keep
    # A stream of events may never end: its beginning tells enough.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            return Answer(status, head, await reader.read(BODY_BYTES_MAX)), False
    return Answer(status, head), False
