"""A partner's endpoint for webhooks: a real server on loopback that answers as it is told to."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

HANG = 0
"""Stands for a status: the endpoint takes the message and does not answer."""


@dataclass(frozen=True, slots=True)
class Told:
    """A request as it came."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        """The `webhook-id`."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> Any:
        """What the body says."""
        return orjson.loads(self.body)["data"]


@dataclass(slots=True)
class Hook:
    """The endpoint; `answers` are its next answers, then always `usual`."""

    url: str = ""
    port: int = 0
    usual: int = 204
    answers: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    endless: bool = False
    """Whether the answer's body has no end."""
    released: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)

    def will_answer(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next request so."""
        self.answers.append((status, headers or {}))

    @property
    def ids(self) -> list[str]:
        """The `webhook-id` of each request, in the order of arrival."""
        return [one.message_id for one in self.told]


def _handler(hook: Hook) -> type[BaseHTTPRequestHandler]:
    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # Whoever sent it died over it.
            hook.told.append(Told({n.lower(): v for n, v in self.headers.items()}, body))
            hook.arrived.set()
            status, headers = hook.answers.pop(0) if hook.answers else (hook.usual, {})
            if status == HANG:
                hook.released.wait(30)
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if not hook.endless:
                self.send_header("content-length", "0")
            self.end_headers()
            while hook.endless and not hook.released.is_set():
                self.wfile.write(b"x" * 4_096)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Service


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may leave, and handshakes fail."""


@contextmanager
def running_hook(
    *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Hook]:
    """The endpoint, on a port of its own or on this one; with `tls` it speaks https."""
    hook = Hook()
    server = _Server((host, port), _handler(hook))
    if tls is not None:

        def note(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
            hook.server_names.append(name)

        tls.sni_callback = note
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    hook.port = server.server_address[1]
    hook.url = f"http{'' if tls is None else 's'}://{host}:{hook.port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hook
    finally:
        hook.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
