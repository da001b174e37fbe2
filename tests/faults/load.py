"""A load generator in a process of its own: `python -m tests.faults.load PLAN RESULT`.

It sends requests that were built before over connections of this machine and notes what became of
each, bounded in count and time. In a closed loop every connection sends its next request when the
last one is answered; in an open loop requests are sent by the clock, whatever becomes of them.
PLAN and RESULT are files; see `Plan` and `Sent`.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Final, cast

import orjson
import uvloop

CONNECTIONS_MAX: Final = 600
ANSWER_S_MAX: Final = 15.0
_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_CODE: Final = re.compile(rb'"code":"([A-Z_]+)"')

TRUNCATED, UNANSWERED, REFUSED, LATE = "truncated", "unanswered", "refused", "late"
"""An answer that ends half-way; none at all; no connection; none within ANSWER_S_MAX."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sent. `rate` is None for a closed loop; `requests` are whole HTTP requests.

    `stop_refused` ends a closed loop's connection for good once the server takes no more.
    """

    port: int
    requests: list[str]
    seconds: float
    connections: int = 1
    rate: float | None = None
    requests_max: int = 200_000
    stop_refused: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: when it was sent (time.time), how long it took, and what became of it.

    `outcome` is `ok`, the code of its first error, the status, or one of the words above.
    """

    at: float
    seconds: float
    status: int
    outcome: str
    retry_after: bool
    number: int


class Connection(asyncio.Protocol):
    """One connection, which is busy with one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, str, bool]] | None = None
        self._length: int | None = None
        self.open = True
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, str, bool]]:
        """Send a request; the status, the outcome and whether a time to retry was told."""
        self._buffer, self._length = b"", None
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._length is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            found = _LENGTH.search(self._buffer, 0, end)
            assert found, self._buffer
            self._length = end + 4 + int(found[1])
        if len(self._buffer) >= self._length and self._answer and not self._answer.done():
            if b"\r\nconnection: close\r\n" in self._buffer:
                self.open = False
                self.transport.close()
            self._answer.set_result(_read(self._buffer))

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((0, TRUNCATED if self._buffer else UNANSWERED, False))


def _read(answer: bytes) -> tuple[int, str, bool]:
    status = int(answer[9:12])
    code = _CODE.search(answer)
    outcome = code[1].decode() if code else "ok" if status == 200 else str(status)
    return status, outcome, b"\r\nretry-after: " in answer


class Load:
    """A run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._requests = cycle(enumerate(request.encode() for request in plan.requests))
        self._free: deque[Connection] = deque()
        self._opened = 0
        self.sent: list[Sent] = []

    async def run(self) -> list[Sent]:
        """Send all of it."""
        if self._plan.rate is None:
            ends = time.monotonic() + self._plan.seconds
            await asyncio.gather(*(self._closed(ends) for _ in range(self._plan.connections)))
        else:
            await self._open(self._plan.rate)
        for connection in self._free:
            connection.transport.abort()
        return self.sent

    async def _closed(self, ends: float) -> None:
        while time.monotonic() < ends and len(self.sent) < self._plan.requests_max:
            outcome = await self._send()
            if outcome in {REFUSED, UNANSWERED}:
                if self._plan.stop_refused:
                    return
                await asyncio.sleep(0.02)

    async def _open(self, rate: float) -> None:
        began, under_way = time.monotonic(), set[asyncio.Task[str]]()
        for number in range(min(int(rate * self._plan.seconds), self._plan.requests_max)):
            wait = began + number / rate - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._send())
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _send(self) -> str:
        number, request = next(self._requests)
        at, began = time.time(), time.monotonic()
        status, outcome, retry_after = await self._exchange(request)
        seconds = time.monotonic() - began
        self.sent.append(Sent(at, seconds, status, outcome, retry_after, number))
        return outcome

    async def _exchange(self, request: bytes) -> tuple[int, str, bool]:
        connection = await self._connection()
        if connection is None:
            return 0, REFUSED, False
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                answer = await connection.ask(request)
        except TimeoutError:
            connection.transport.abort()
            self._opened -= 1
            return 0, LATE, False
        if connection.open:
            self._free.append(connection)
        else:
            self._opened -= 1
        return answer

    async def _connection(self) -> Connection | None:
        while self._free:
            connection = self._free.popleft()
            if connection.open:
                return connection
            self._opened -= 1
        if self._opened >= CONNECTIONS_MAX:
            return None
        self._opened += 1
        try:
            loop = asyncio.get_running_loop()
            _, made = await loop.create_connection(Connection, "127.0.0.1", self._plan.port)
        except OSError:
            self._opened -= 1
            return None
        return made


def main(plan_file: str, result_file: str) -> None:
    """Run the plan and write what was sent."""
    plan = Plan(**orjson.loads(Path(plan_file).read_bytes()))
    sent = uvloop.run(Load(plan).run())
    Path(result_file).write_bytes(orjson.dumps([asdict(one) for one in sent]))


if __name__ == "__main__":
    main(*sys.argv[1:])
