"""A load on a server: by wrk where it is installed, else by the load generator of the tests.

wrk costs a tenth of a processor, the other a half: with it, all servers look slower and more alike.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from tests.faults.loading import load

CONNECTIONS: Final = 16

_SCRIPT: Final = """
local requests = {}
local at = 0

function init(args)
  local file = io.open(args[1], "rb")
  local all = file:read("*a")
  file:close()
  local from = 1
  while from <= #all do
    local _, heading, size = all:find("^(%d+)\\n", from)
    requests[#requests + 1] = all:sub(heading + 1, heading + size)
    from = heading + size + 1
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: answers per second, and how long half and all but 1 % took at most."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds


class Loader:
    """Sends the same requests in turn over sixteen connections."""

    def __init__(
        self, folder: Path, requests: Sequence[str], *, wrk: str | None = shutil.which("wrk")
    ) -> None:
        self._folder, self._requests, self._wrk = folder, list(requests), wrk
        (folder / "load.lua").write_text(_SCRIPT)
        (folder / "requests").write_bytes(
            b"".join(b"%d\n%b" % (len(one.encode()), one.encode()) for one in requests)
        )

    @property
    def name(self) -> str:
        """What sends."""
        return (
            "wrk" if self._wrk else "the load generator of the tests (install wrk for a fair one)"
        )

    async def send(self, port: int, *, seconds: float, connections: int = CONNECTIONS) -> Load:
        """Load the server for some seconds. RuntimeError where anything is not answered well."""
        if self._wrk:
            return await self._by_wrk(self._wrk, port, seconds=seconds, connections=connections)
        results = await load(
            self._folder,
            port=port,
            requests=self._requests,
            seconds=seconds,
            connections=connections,
        )
        if set(results.outcomes) != {"ok"}:
            raise RuntimeError(f"not answered well: {results.outcomes}")
        return Load(
            requests=len(results),
            seconds=seconds,
            p50_ms=results.quantile(0.5) * 1_000,
            p99_ms=results.quantile(0.99) * 1_000,
        )

    async def p50_ms(self, port: int, *, seconds: float, connections: int) -> float:
        """Within how many milliseconds half of the answers came."""
        return (await self.send(port, seconds=seconds, connections=connections)).p50_ms

    async def _by_wrk(self, wrk: str, port: int, *, seconds: float, connections: int) -> Load:
        process = await asyncio.create_subprocess_exec(
            *(wrk, "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{max(round(seconds), 1)}s", "--timeout", "10s"),
            *("--script", str(self._folder / "load.lua"), f"http://127.0.0.1:{port}/graphql"),
            *("--", str(self._folder / "requests")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(out.decode())
        told = orjson.loads(out.splitlines()[-1])
        if told.pop("errors"):
            raise RuntimeError(f"not answered well: {out.decode()}")
        return Load(**told)
