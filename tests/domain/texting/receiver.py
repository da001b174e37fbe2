"""The merchant's service that sends text messages: a real server on loopback that keeps them.

It does what a merchant's must: it checks the signature before it reads, and takes a message that
comes twice for one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
HANG = 0
"""Stands for a status: the service takes the message and never answers."""


@dataclass(slots=True)
class Receiver:
    """What the service got; `answers` are the statuses of the next requests, then always 204."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, each once, oldest first."""
        by_id = {headers["webhook-id"]: orjson.loads(body) for headers, body in self.requests}
        return list(by_id.values())

    def code(self, phone: str) -> str:
        """The code of the newest message to the number."""
        codes = [one["values"]["code"] for one in self.messages if one["to"] == phone]
        return str(codes[-1])

    def reset(self) -> None:
        """Forget everything."""
        self.answers.clear()
        self.requests.clear()


def is_signed(headers: dict[str, str], body: bytes) -> bool:
    """Whether the request is signed with SECRET, as the specification of Standard Webhooks says."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in headers["webhook-signature"].split(" ")


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """The service, on a port of its own."""
    receiver = Receiver()

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append((headers, body))
            status = receiver.answers.pop(0) if receiver.answers else 204
            if status == HANG:
                receiver.released.wait(30)
                return
            self.send_response(status if is_signed(headers, body) else 401)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/sms"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
