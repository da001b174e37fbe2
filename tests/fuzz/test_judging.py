"""What judges the answers finds what is planted, and lets a plain refusal pass."""

from __future__ import annotations

import os
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fuzz.malformed import Malformed
from tests.fuzz.probing import Prober
from tests.fuzz.verdict import faults

ANSWER = b'HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{"status":"ok"}'


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (503, b'{"errors":[{"message":"m","extensions":{"code":"OVERLOADED"}}]}'),
        (200, b'{"errors":[{"message":"m","extensions":{"code":"INTERNAL"}}]}'),
        (400, b'{"errors":[{"message":"KeyError: 1"}]}'),
        (400, b"Exceeds the limit (4300 digits) for integer string conversion"),
        (400, b'near "x": SELECT a FROM member'),
        (400, b"'str' object has no attribute 'get'"),
        (400, b'File "/srv/api/app.py", line 3'),
    ],
)
def test_what_a_client_must_not_see_is_found(status: int, body: bytes) -> None:
    found = list(faults(status, body, what="json 7"))
    assert found
    assert all(one.startswith("json 7: ") for one in found)


def test_a_plain_refusal_is_none() -> None:
    body = b'{"errors":[{"message":"`query` is missing.","extensions":{"code":"BAD_REQUEST"}}]}'
    assert list(faults(400, body, what="json 7")) == []


def test_a_request_can_be_made_again_from_its_number() -> None:
    one, other = (Malformed(["query ($a: Int) { __typename }"], ["token"]) for _ in range(2))
    for kind in one.kinds:
        made = [one.make(kind, number).raw for number in range(20)]
        assert made == [other.make(kind, number).raw for number in range(20)]
        assert len(set(made)) > 10, f"{kind}: hardly any two differ"


@contextmanager
def answering(*, held_back_s: float) -> Iterator[str]:
    """A server that is quick except for its fifth answer."""
    answers = iter(range(1_000_000))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4_096):
                if next(answers) == 4:
                    time.sleep(held_back_s)
                self.request.sendall(ANSWER)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("held_back_s", [0.0, 0.3])
def test_an_answer_that_is_held_back_is_seen(held_back_s: float) -> None:
    with answering(held_back_s=held_back_s) as url:
        prober = Prober(url, os.getpid())
        try:
            prober.wait_for(10)
        finally:
            held = prober.stop()
    assert held.probes >= 10
    assert (held.longest_ms > 250) == bool(held_back_s), held
