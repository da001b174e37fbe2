"""Asking the application itself, without an HTTP client between: thousands of times in a test."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.applications import Starlette

from tests.graphql.gateway import GRAPHQL_JSON

EVENT_STREAM: Final = "text/event-stream"
_WORDS: Final = re.compile(rb"[A-Za-z0-9_-]{16,}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: for a stream, until its first event."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    content: bytes

    def body(self) -> Any:
        """The JSON, or that of the first event."""
        if self.content.startswith(b":"):
            _, found, rest = self.content.partition(b"data: ")
            assert found, self.content
            return orjson.loads(rest.partition(b"\n")[0])
        return orjson.loads(self.content)

    def code(self) -> str | None:
        """The code of the refusal; None for an answer without errors."""
        body = self.body()
        if "errors" not in body:
            return None
        assert "data" not in body, body
        [error] = body["errors"]
        return str(error["extensions"]["code"])

    def told(self) -> bytes:
        """All that the client learns: headers, content, and what is inside ids and cursors."""
        inside = []
        for word in _WORDS.findall(self.content):
            try:
                inside.append(base64.urlsafe_b64decode(word + b"=" * (-len(word) % 4)))
            except binascii.Error:
                continue
        lines = [name + b": " + value for name, value in self.headers]
        return b"\n".join([*lines, self.content, *inside])


async def ask(
    app: Starlette, document: str, *, token: str | None, address: str, operation_name: None = None
) -> Answer:
    """Send a document by POST; a subscription is followed until its first event and then left."""
    streams = document.startswith("subscription")
    headers = [
        (b"host", b"gateway.test"),
        (b"content-type", b"application/json"),
        (b"accept", (EVENT_STREAM if streams else GRAPHQL_JSON).encode()),
    ]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": (address, 40_000),
        "server": ("gateway.test", 80),
        "state": {},
    }
    sent: list[dict[str, Any]] = []
    left = asyncio.Event()
    body = orjson.dumps({"query": document})
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if unread:
            return unread.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if streams and b"data: " in message.get("body", b""):
            left.set()

    await app(scope, receive, send)
    start, *parts = sent
    return Answer(
        status=start["status"],
        headers=tuple(start["headers"]),
        content=b"".join(part["body"] for part in parts),
    )
