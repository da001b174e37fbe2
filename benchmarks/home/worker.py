"""What a worker of the gateway occupies, how soon it answers, and what a second one brings."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

import httpx
import orjson
from websockets.asyncio.client import ClientConnection

from benchmarks.figures import Figure, print_figures, write_figures
from benchmarks.home.answers import VARIABLES, home_requests
from benchmarks.home.building import Sizes, build
from benchmarks.home.contestants import gateway_of
from benchmarks.home.loads import Loader
from benchmarks.home.reporting import RESULTS
from benchmarks.home.rounds import Effort
from benchmarks.postgres import serving
from benchmarks.processes import memory_kib
from tests.faults.serving import Serving
from tests.faults.town import Town
from tests.graphql.operations import operation
from tests.servers import open_redis
from tests.streaming.test_idle_subscribers import follow

SUBSCRIBERS: Final = 5_000
KIB_EACH_MAX: Final = 30
MIB_MAX: Final = 150
START_S_MAX: Final = 2.0
TWO_WORKERS_LEAST: Final = 1.8
STARTS: Final = 5

_OPENED_AT_ONCE: Final = 50
_SETTLED_S: Final = 2.0
_FOLLOWING: Final = {
    "JIFEN_STREAMING__CONNECTIONS_MAX": "10000",
    "JIFEN_STREAMING__ADDRESS_CONNECTIONS_MAX": "10000",
    "JIFEN_STREAMING__CALLER_CONNECTIONS_MAX": "1000",
}


async def run(sizes: Sizes, effort: Effort) -> None:
    """Print all of it: about two minutes."""
    with serving() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        redis = open_redis()
        try:
            with server.databases.fresh() as url:
                town = await build(url, folder, sizes)
                loader = Loader(folder, home_requests(town))
                figures = [
                    *_starts(town, folder, redis.url),
                    *await _memory(town, folder, redis.url, loader, effort),
                    await _second_worker(town, folder, redis.url, loader, effort),
                ]
        finally:
            redis.close()
    print_figures("A worker of the gateway", figures)
    write_figures("A worker of the gateway", figures, RESULTS / "worker.md")


def _starts(town: Town, folder: Path, redis_url: str) -> list[Figure]:
    """From the start of the process to the answer of a home query: by the clock, and what of it the
    processor was busy, which others that are busy lengthen little."""
    waited, used = [], []
    for _ in range(STARTS):
        began = time.monotonic()
        with gateway_of(town, folder, redis_url=redis_url) as gateway:
            _ask(gateway, town.member_tokens[0])
            waited.append(time.monotonic() - began)
            used.append(gateway.processor_s)
    return [
        _started("start to first answer", waited, asked=f"≤ {START_S_MAX:g}"),
        _started("processor time of a start", used, asked=""),
    ]


def _started(what: str, seconds: list[float], *, asked: str) -> Figure:
    middle = median(seconds)
    return Figure(
        goal="9",
        what=what,
        least=min(seconds),
        median=middle,
        most=max(seconds),
        unit="s",
        asked=asked,
        reached=middle <= START_S_MAX if asked else None,
    )


async def _memory(
    town: Town, folder: Path, redis_url: str, loader: Loader, effort: Effort
) -> list[Figure]:
    with gateway_of(town, folder, redis_url=redis_url, environment=_FOLLOWING) as gateway:
        _ask(gateway, town.member_tokens[0])
        started = memory_kib(gateway.pid) / 1_024
        await loader.send(gateway.port, seconds=effort.seconds * 2)
        loaded = memory_kib(gateway.pid) / 1_024
        each = await _subscribers(gateway, town)
    resident = [_fixed("started", started), _fixed("after a load of home queries", loaded)]
    subscribers = Figure(
        goal="7",
        what=f"each of {SUBSCRIBERS:,} idle subscriptions",
        least=each,
        median=each,
        most=each,
        unit="KiB",
        asked=f"≤ {KIB_EACH_MAX}",
        reached=each <= KIB_EACH_MAX,
    )
    return [*resident, subscribers]


def _fixed(what: str, mib: float) -> Figure:
    return Figure(
        goal="7",
        what=f"resident memory, {what}",
        least=mib,
        median=mib,
        most=mib,
        unit="MiB",
        asked=f"≤ {MIB_MAX}",
        reached=mib <= MIB_MAX,
    )


async def _subscribers(gateway: Serving, town: Town) -> float:
    """What each idle subscription occupies, in KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    # What is made once, or for the first one, is no subscriber's.
    warm = await _follow(gateway, town, _OPENED_AT_ONCE)
    for connection in warm:
        await connection.close()
    await asyncio.sleep(_SETTLED_S)
    before = memory_kib(gateway.pid)
    held: list[ClientConnection] = []
    while len(held) < SUBSCRIBERS:
        held += await _follow(gateway, town, _OPENED_AT_ONCE, first=len(held))
    await asyncio.sleep(_SETTLED_S)
    each = (memory_kib(gateway.pid) - before) / len(held)
    for connection in held:
        connection.transport.abort()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return each


async def _follow(
    gateway: Serving, town: Town, number: int, *, first: int = 0
) -> list[ClientConnection]:
    tokens = town.member_tokens
    chosen = [tokens[(first + one) % len(tokens)] for one in range(number)]
    return list(await asyncio.gather(*(follow(gateway.url, one) for one in chosen)))


async def _second_worker(
    town: Town, folder: Path, redis_url: str, loader: Loader, effort: Effort
) -> Figure:
    ratios = []
    two = {"JIFEN_WORKERS": "2"}
    with (
        gateway_of(town, folder, redis_url=redis_url) as one,
        gateway_of(town, folder, redis_url=redis_url, environment=two) as both,
    ):
        for gateway in (one, both):
            await loader.send(gateway.port, seconds=1)
        for _ in range(effort.rounds):
            alone = await loader.send(one.port, seconds=effort.seconds)
            together = await loader.send(both.port, seconds=effort.seconds)
            ratios.append(together.rate / alone.rate)
    ratios.sort()
    middle = median(ratios)
    return Figure(
        goal="8",
        what="two workers, to one, on this machine's processors",
        least=ratios[0],
        median=middle,
        most=ratios[-1],
        unit="times",
        asked=f"≥ {TWO_WORKERS_LEAST}, when cores allow",
        reached=middle >= TWO_WORKERS_LEAST,
    )


def _ask(gateway: Serving, token: str) -> None:
    body = orjson.dumps({"query": operation("Home"), "variables": VARIABLES})
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    with httpx.Client(trust_env=False, timeout=10) as http:
        answer = http.post(f"{gateway.url}/graphql", content=body, headers=headers)
    answer.raise_for_status()
    assert "errors" not in answer.json(), answer.text
